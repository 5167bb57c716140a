import sys

sys.path.append(sys.path.pop(0))  # `python -m` has put the working folder before the standard library

from evonas.cli import main

sys.exit(main())
