"""Between the genomes that a strategy breeds and the configs that trials get."""

import copy
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from ray.tune.search.variant_generator import assign_value, parse_spec_vars

from evonas.errors import UserError
from evonas.records import Genome, TaskSpec
from evonas.spaces.genes import Arch, Group
from evonas.spaces.space import Space
from evonas.text import describe_error
from evonas.tune.domains import parameter
from evonas.tune.parameter import Parameter
from evonas.tune.plain import from_plain, to_plain

if TYPE_CHECKING:
    from torch import nn

Path = tuple[str | int, ...]


class Configs(Protocol):
    """The configs of a space."""

    space: Space

    def config(self, genome: Genome) -> dict[str, Any]:
        """What a trial gets.

        Args:
            genome: of the space.

        Returns:
            A config of its own, which Tune merges into `param_space`.
        """

    def genome(self, config: Mapping[str, Any]) -> Genome:
        """The genome that gives a config, or the nearest where it lies between levels.

        Args:
            config: of a trial; constants in it are not looked at.

        Returns:
            A canonical genome.

        Raises:
            UserError: it is none of the space; says where.
        """


class Architectures:
    """Those of a space of evonas: readable architectures, as nested dicts.

    Args:
        space: of networks, or of anything that choices describe.
    """

    def __init__(self, space: Space) -> None:
        self.space = space

    def config(self, genome: Genome) -> dict[str, Any]:
        return self.space.decode(genome).to_dict()

    def genome(self, config: Mapping[str, Any]) -> Genome:
        fields = self.space.tree.fields
        try:
            return self.space.encode({name: config[name] for name in fields if name in config})
        except ValueError as error:
            raise UserError(f"a point of {type(self.space).__name__}: {error}") from None


class Parameters:
    """Those of a `param_space` of Ray Tune.

    Args:
        param_space: domains, and constants, in dicts and lists.
        levels: of a continuous domain, at least.

    Raises:
        UserError: there is no domain in it, or one that cannot be searched.
    """

    def __init__(self, param_space: Mapping[str, Any], levels: int) -> None:
        _, domains, grids = parse_spec_vars(dict(param_space))
        if not domains and not grids:
            raise UserError("param_space has no domain to search: give one, e.g. {'x': tune.uniform(0, 1)}")
        found = dict(sorted([*domains, *grids], key=lambda item: _name(item[0])))
        self._paths: dict[str, Path] = {_field(place, path): path for place, path in enumerate(found)}
        self.space: Space = ParamSpace(
            {field: parameter(_name(path), found[path], levels) for field, path in self._paths.items()}
        )
        self._template = _searched(dict(param_space))
        self.plain = to_plain(self._template)
        """All of it but constants beside domains, as plain data; None where that cannot be."""

    def config(self, genome: Genome) -> dict[str, Any]:
        found, config = self.space.decode(genome), copy.deepcopy(self._template)
        for field, path in self._paths.items():
            assign_value(config, path, copy.deepcopy(getattr(found, field)))
        return config

    def genome(self, config: Mapping[str, Any]) -> Genome:
        indices: Genome = ()
        for field, node in self.space.tree.fields.items():
            path = self._paths[field]
            try:
                indices += node.encode(_value_at(config, path))
            except ValueError as error:
                raise UserError(f"a point: {_name(path)}: {error}") from None
            except (LookupError, TypeError):
                raise UserError(f"a point lacks {_name(path)}; it has {', '.join(map(str, config))}") from None
        return indices


def parameters_of(plain: Any, levels: int) -> Parameters:
    """The configs of a `param_space` that was kept.

    Args:
        plain: as `Parameters.plain`, from a file.
        levels: of a continuous domain.

    Raises:
        UserError: it is none.
    """
    try:
        param_space = dict(from_plain(plain))
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        raise UserError(f"the param_space of the state is damaged: {describe_error(error)}") from None
    return Parameters(param_space, levels)


class ParamSpace(Space):
    """A space of parameters instead of networks.

    Args:
        parameters: by the names of genes, which are attribute names.
    """

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        self._parameters = parameters

    @cached_property
    def tree(self) -> Group:
        """All parameters as one group."""
        return Group(**self._parameters)

    def canonical(self, genome: Genome) -> Genome:
        """The first of the genomes that give the same values."""
        return self.tree.encode(self.decode(genome))

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        raise NotImplementedError("a space of parameters builds no network")


def _field(place: int, path: Path) -> str:
    """An attribute name for what may be called anything."""
    return re.sub(r"\W", "_", f"p{place}_{_name(path)}", flags=re.ASCII)


def _name(path: Path) -> str:
    """As Tune names columns."""
    return "/".join(map(str, path))


def _value_at(config: Any, path: Path) -> Any:
    for key in path:
        config = config[key]
    return config


def _searched(part: dict[Any, Any]) -> dict[Any, Any]:
    """Without constants, which are Tune's to add; a list with a domain in it is kept whole."""
    return {
        key: _searched(value) if isinstance(value, dict) else value
        for key, value in part.items()
        if _has_domain({key: value})
    }


def _has_domain(part: dict[str, Any]) -> bool:
    _, domains, grids = parse_spec_vars(part)
    return bool(domains or grids)
