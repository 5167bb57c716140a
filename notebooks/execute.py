"""Runs all notebooks in place, and leaves out what would change each time: python notebooks/execute.py"""

from pathlib import Path

import nbformat
import papermill

HERE = Path(__file__).parent


def main() -> None:
    for path in sorted(HERE.glob("*.ipynb")):
        print(path.name, flush=True)
        papermill.execute_notebook(path, path, cwd=HERE, kernel_name="python3", progress_bar=False)
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
        for cell in notebook.cells:
            tags = cell.metadata.get("tags")
            cell.metadata = {"tags": tags} if tags else {}
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
