# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns errors of the YAML parser into errors for people who write recipes, with the lines around them.

The parser says where it could not go on. These functions look at the lines around that place and name the mistake that
usually is the reason. Lines and columns count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from yaml import MarkedYAMLError
from yaml.error import Mark

from rack_recipes.errors import Place, RecipeError
from rack_recipes.recipe.values_in_messages import listed_or, quoted
from rack_recipes.recipe.yaml.decode import RecipeSource

BLANK = re.compile(r"\s*(?:#.*)?$")


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """What the reader knows when the parser fails.

    `columns` are those of the lists and mappings that are not ended, `quote_line` is the line of the last quoted text.
    """

    source: RecipeSource
    columns: Collection[int]
    quote_line: int


@dataclass(frozen=True, slots=True)
class ParserProblem:
    """A problem of the parser: its place `at`, and the place where the list, mapping or word around it begins."""

    around: ErrorContext
    lines: list[str]
    message: str
    context: str
    at: Place
    begin: Place

    def place(self, line: int, column: int) -> Place:
        """A place in the same file."""
        return Place(self.at.file, line, column)

    def line(self, number: int) -> str:
        """A line by its number; empty after the end of the file."""
        return self.lines[number - 1] if number <= len(self.lines) else ""

    def rest(self, place: Place) -> str:
        """The text at a place, up to the end of the line."""
        return self.line(place.line)[place.column - 1 :].strip()

    def before(self) -> str:
        """The text before the problem, on its line."""
        return self.line(self.at.line)[: self.at.column - 1]

    def above(self) -> int:
        """The number of the nearest line above the problem that has more than a comment."""
        return next((number for number in range(self.at.line - 1, 0, -1) if not BLANK.match(self.line(number))), 1)

    def ending(self) -> str:
        """The line of the problem in words."""
        line = self.line(self.at.line).strip()
        return f"{quoted(line)} in line {self.at.line}" if self.rest(self.at) else "the end of the file"

    def error(self, place: Place, expected: str, got: str = "") -> RecipeError:
        """An error about the text at a place."""
        return RecipeError(place, expected, got or self.found(place))

    def found(self, place: Place) -> str:
        """The text at a place in words."""
        rest = self.rest(place)
        if rest:
            return quoted(rest)
        last = len("\n".join(self.lines).rstrip().split("\n"))
        return "the end of the file" if place.line >= last else "the end of the line"


def place_of(mark: Mark | None, name: str) -> Place:
    """The place of a mark of the parser, which counts from 0."""
    return Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)


CONFLICT = re.compile(r"<{7} |>{7} ")
JAMMED_DASH = re.compile(r"\s*(?:- +)*(?P<found>-[A-Za-z\"'{\[].*)")
JAMMED_COLON = re.compile(r"\s*(?:- +)*(?P<found>[A-Za-z_][\w.-]*:\S.*)")
NO_COLON = re.compile(r"\s*(?:- +)*(?P<found>[A-Za-z_][\w.-]*)\s*(?:#.*)?$")
TWO_COLONS = re.compile(r"\s*(?:- +)*[^:'\"#]+:\s+(?P<found>[^'\"{\[].*)")
REFERENCE = re.compile(r"\$\{[^{}\"']*\}")
QUOTES = {
    '"': ' (inside the text a double quote is written \\")',
    "'": " (inside the text a single quote is written twice)",
}
type Explanation = Callable[[ParserProblem], RecipeError]


def explain_syntax_error(error: MarkedYAMLError, around: ErrorContext) -> RecipeError:
    """The recipe error for an error of the parser."""
    name = around.source.name
    at = place_of(error.problem_mark, name)
    begin = place_of(error.context_mark, name) if error.context_mark else at
    message = error.problem or ""
    problem = ParserProblem(around, around.source.lines, message, error.context or "", at, begin)
    return merge_conflict(problem) or PROBLEMS.get(message, BY_CONTEXT.get(problem.context, unknown))(problem)


def merge_conflict(problem: ParserProblem) -> RecipeError | None:
    """The first conflict marker of an unresolved merge."""
    numbers = (number for number, line in enumerate(problem.lines, 1) if CONFLICT.match(line))
    number = next(numbers, 0)
    return problem.error(problem.place(number, 1), "a file without unresolved merge conflicts") if number else None


def unknown(problem: ParserProblem) -> RecipeError:
    """Any other problem, in the parser's words."""
    return problem.error(problem.at, "valid YAML", f"{problem.found(problem.at)}: {problem.message}")


def missing_character(problem: ParserProblem, line: int) -> RecipeError | None:
    """A space or a colon that is missing in a line; None where there is none."""
    for pattern, expected in MISSING_CHARACTERS.items():
        if found := pattern.match(problem.line(line)):
            return problem.error(problem.place(line, found.start("found") + 1), expected)
    return None


MISSING_CHARACTERS = {
    JAMMED_DASH: "a space after the dash",
    JAMMED_COLON: "a space after the colon",
    NO_COLON: "a colon after the key",
}


def second_colon(problem: ParserProblem) -> RecipeError:
    """A colon where no key can be: in a text, or in a line that YAML reads as part of the text above."""
    found = TWO_COLONS.match(problem.before() + ":")
    if found:
        place = problem.place(problem.at.line, found.start("found") + 1)
        return problem.error(place, "text in quotes, since it holds a colon and a space")
    return missing_character(problem, problem.above()) or indentation(problem)


def missing_colon(problem: ParserProblem) -> RecipeError:
    """A word where a key must be."""
    return missing_character(problem, problem.begin.line) or problem.error(
        problem.begin, "a key, a colon and a value on one line"
    )


def unexpected(problem: ParserProblem) -> RecipeError:
    """Something that cannot be at this place of a list or mapping."""
    before = problem.before().strip()
    if not before:
        return other_kind(problem) if problem.at.column in problem.around.columns else indentation(problem)
    if before[-1] in QUOTES:
        return after_quote(problem, before[-1])
    return problem.error(problem.at, f"nothing after {'the closing bracket' if before[-1] in '}]' else 'the value'}")


def after_quote(problem: ParserProblem, quote: str) -> RecipeError:
    """Text after a closing quote: the quote is part of the text, or an earlier one was not closed."""
    line = problem.around.quote_line
    hint = f", which closes the text of line {line}" if 0 < line < problem.at.line else QUOTES[quote]
    return problem.error(problem.at, f"nothing after the closing quote{hint}")


def other_kind(problem: ParserProblem) -> RecipeError:
    """A list item among keys, or a key among list items."""
    wanted = "a list item, '- ' and a value" if "'-'" in problem.message else "a key and a colon"
    if "'-'" in problem.message and problem.rest(problem.at).startswith("-"):
        wanted = MISSING_CHARACTERS[JAMMED_DASH]
    return problem.error(problem.at, f"{wanted}, as in line {problem.begin.line}")


def indentation(problem: ParserProblem) -> RecipeError:
    """A line with a wrong indentation, or after a line that is neither a key nor a value."""
    line = problem.line(problem.at.line)
    column = len(line) - len(line.lstrip()) + 1
    above = problem.above()
    known = sorted({indent - 1 for indent in problem.around.columns} | columns_of(problem.line(above)))
    others = [str(indent) for indent in known if indent != column - 1]
    if not others or column in problem.around.columns:
        return missing_character(problem, above) or problem.error(problem.place(above, 1), "a key and a colon")
    return problem.error(
        problem.place(problem.at.line, column), spaces(others), f"{column - 1} before {quoted(line.strip())}"
    )


def spaces(numbers: list[str]) -> str:
    """The indentations that a line may have."""
    allowed = listed_or(numbers)
    return f"{allowed} space{'' if allowed == '1' else 's'} before this line"


def columns_of(line: str) -> set[int]:
    """The columns, from 0, in which the items and the key of a line start."""
    found = re.match(r"\s*(?:- +)*", line)
    dashes = {index for index, letter in enumerate(found[0]) if letter == "-"} if found else set()
    return dashes | ({found.end()} if found else set())


def unclosed_bracket(problem: ParserProblem) -> RecipeError:
    """A list or mapping in brackets without a comma or its closing bracket."""
    bracket = "]" if "]" in problem.message else "}"
    reference = REFERENCE.match(problem.line(problem.at.line), problem.at.column - 2)
    if reference:
        place = problem.place(problem.at.line, problem.at.column - 1)
        return problem.error(place, f'a reference in quotes, "{reference[0]}"', quoted(reference[0]))
    if problem.at.line == problem.begin.line and problem.rest(problem.at):
        return problem.error(problem.at, f"a comma or {bracket!r}")
    return problem.error(problem.begin, f"a {bracket!r} that closes {problem.found(problem.begin)}", problem.ending())


def no_space_after_colon(problem: ParserProblem) -> RecipeError:
    """A colon in brackets that YAML reads as part of a word."""
    return problem.error(problem.at, "a space after the colon")


def missing_value(problem: ParserProblem) -> RecipeError:
    """A comma or a closing bracket where a value must be."""
    return problem.error(problem.at, "a value")


def bad_start(problem: ParserProblem) -> RecipeError:
    """A character that means something else at the start of a word, or a tab."""
    rest = problem.line(problem.at.line)[problem.at.column - 1 :]
    if rest.startswith("\t"):
        return tab(problem)
    return problem.error(problem.at, f"text in quotes, since it starts with {rest[:1]!r}")


def bad_word(problem: ParserProblem) -> RecipeError:
    """The same, where the parser fails only after that character."""
    return problem.error(problem.begin, f"text in quotes, since it starts with {problem.rest(problem.begin)[:1]!r}")


def tab(problem: ParserProblem) -> RecipeError:
    """A tab where only spaces count."""
    return problem.error(problem.at, "spaces", "a tab, which YAML does not take for indentation")


def unclosed_quote(problem: ParserProblem) -> RecipeError:
    """A quoted text without an end."""
    quote = problem.rest(problem.begin)[:1]
    return problem.error(problem.begin, f"a {quote} that closes {problem.found(problem.begin)}", problem.ending())


def bad_escape(problem: ParserProblem) -> RecipeError:
    r"""A backslash in double quotes that is no escape, as in "C:\dir"."""
    return escape_error(problem, problem.at, r"an escape such as \n or \\ (in single quotes a backslash is itself)")


def bad_digits(problem: ParserProblem) -> RecipeError:
    r"""An escape without its digits, as in "C:\users". The parser's place is after its letter."""
    start = problem.place(problem.at.line, problem.at.column - 2)
    return escape_error(problem, start, r"digits after \x, \u or \U (in single quotes a backslash is itself)")


def lone_surrogate(problem: ParserProblem) -> RecipeError:
    """An escape of half a surrogate pair, as JSON writers make them for an emoji."""
    start = problem.place(problem.at.line, problem.at.column - 2)
    return escape_error(problem, start, r"a whole character: as it is, or as \U and 8 digits", 6)


def escape_error(problem: ParserProblem, start: Place, expected: str, length: int = 2) -> RecipeError:
    """An error about an escape of `length` characters."""
    return problem.error(start, expected, quoted(problem.rest(start)[:length]))


def list_inline(problem: ParserProblem) -> RecipeError:
    """A list item or a `?` on the line of a key."""
    expected = "a value, or the list on lines of its own" if "sequence" in problem.message else "a value"
    return problem.error(problem.at, expected)


def directive(problem: ParserProblem) -> RecipeError:
    """A line that starts with a percent sign, or follows one."""
    return problem.error(problem.begin, "a file without YAML directives, lines that start with %")


def after_end(problem: ParserProblem) -> RecipeError:
    """Something after the end of the mapping at the top."""
    if problem.line(1).startswith("%"):
        return directive(problem)
    return indentation(problem) if not problem.before().strip() else unexpected(problem)


def too_deep(problem: ParserProblem) -> RecipeError:
    """More levels than anybody writes by hand."""
    return problem.error(problem.at, "fewer levels of lists and mappings inside each other")


PROBLEMS: dict[str, Explanation] = {
    "mapping values are not allowed in this context": second_colon,
    "could not find expected ':'": missing_colon,
    "did not find expected key": unexpected,
    "did not find expected '-' indicator": unexpected,
    "did not find expected <document start>": after_end,
    "did not find expected ',' or ']'": unclosed_bracket,
    "did not find expected ',' or '}'": unclosed_bracket,
    "did not find expected node content": missing_value,
    "found character that cannot start any token": bad_start,
    "found a tab character that violates indentation": tab,
    "found a tab character where an indentation space is expected": tab,
    "found unexpected end of stream": unclosed_quote,
    "found unexpected document indicator": unclosed_quote,
    "found unknown escape character": bad_escape,
    "did not find expected hexdecimal number": bad_digits,
    "found invalid Unicode character escape code": lone_surrogate,
    "block sequence entries are not allowed in this context": list_inline,
    "mapping keys are not allowed in this context": list_inline,
    "found incompatible YAML document": directive,
    "found duplicate %YAML directive": directive,
    "found undefined tag handle": bad_word,
    "found unexpected ':'": no_space_after_colon,
    "exceeded maximum nesting depth": too_deep,
}
BY_CONTEXT: dict[str, Explanation] = {
    "while scanning an alias": bad_word,
    "while scanning an anchor": bad_word,
    "while scanning a tag": bad_word,
    "while parsing a tag": bad_word,
    "while scanning a block scalar": bad_word,
    "while scanning a directive": directive,
    "while scanning a %YAML directive": directive,
    "while scanning a %TAG directive": directive,
}
