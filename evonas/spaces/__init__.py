from evonas.spaces.genes import Arch, Choice, Gene, Group, Integer, OneOf, Optional, Repeat, Space

__all__ = ["Arch", "Choice", "Gene", "Group", "Integer", "OneOf", "Optional", "Repeat", "Space"]
