"""What is done with a block of code: run, compared, parsed, or left with a reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Run:
    """Each line is a command, and is run.

    Attributes:
        more: Words added to each training command, which make it small.
        swap: Text of the block and what takes its place in this test.
        exit_code: The one that each command must have.
    """

    more: str = ""
    swap: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0


@dataclass(frozen=True)
class Printed:
    """The block shows output: of this command, which is run.

    Attributes:
        command: The command; `RUN` and `ID` stand for the prepared run and sweep.
        swap: Text of the block and what takes its place in this test.
    """

    command: str
    swap: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Words:
    """Each line has words of a training command; each set is planned, behind these.

    Attributes:
        behind: The words before them.
    """

    behind: str


@dataclass(frozen=True)
class File:
    """The block is a file, with which a command is run.

    Attributes:
        path: Where it is written.
        command: The command, or nothing if the file itself is run.
        swap: Text of the block and what takes its place in this test.
    """

    path: str
    command: str
    swap: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """The block is the beginning or the whole of a file of the project, without comments.

    Attributes:
        path: The file.
    """

    path: str


@dataclass(frozen=True)
class Tree:
    """Columns of paths of images: each column is a data set that is read.

    Attributes:
        classes: What each is read as.
    """

    classes: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The left part of each line is a table, the right one has the words to read it."""


@dataclass(frozen=True)
class Left:
    """The block is not run.

    Attributes:
        reason: Why, and which test has what it shows.
    """

    reason: str


Treatment = Run | Printed | Words | File | Example | Tree | Table | Left
