"""Weights that the networks of a space share: trained once, and inherited by each network that is built.

places.py      the parameters of a network by where they stand
bank.py        tensors by place, of the largest shape seen, and which part of them a network has
sampling.py    which networks are trained in a step
updates.py     the parts of the bank that a step has touched are updated, and no others
training.py    steps
inheriting.py  how good a network is with the bank's weights
audit.py       whether that says anything of networks that are trained alone
file.py        a bank in a file
making.py      all of it: `evonas supernet`
"""
