"""What people see in a terminal: a search with its front, plain lines elsewhere, and tables of what was found.

watching.py  a running search: front and newest decisions on a screen, a line now and then in a file
notes.py     what it says once: advice, forecast, cost, who measures beside it
front.py     the front, with how sure it is and a plot
tables.py    tables for people and for programs
"""
