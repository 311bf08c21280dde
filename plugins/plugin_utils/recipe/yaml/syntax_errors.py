# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What YAML's parser objects to, in the words of somebody who writes a recipe.

The parser says where it lost the thread; these functions look at the lines around and name the slip that is the
usual reason. Places count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from yaml import MarkedYAMLError

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place, RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.error_context import (
    ErrorContext,
    ParserProblem,
    place_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.messages import quoted

CONFLICT = re.compile(r"<{7} |>{7} ")
JAMMED_DASH = re.compile(r"\s*(?:- +)*(?P<found>-[A-Za-z\"'{\[].*)")
JAMMED_COLON = re.compile(r"\s*(?:- +)*(?P<found>[A-Za-z_][\w.-]*:\S.*)")
NO_COLON = re.compile(r"\s*(?:- +)*(?P<found>[A-Za-z_][\w.-]*)\s*(?:#.*)?$")
TWO_COLONS = re.compile(r"\s*(?:- +)*[^:'\"#]+:\s+(?P<found>[^'\"{\[].*)")
QUOTES = {
    '"': ' (inside the text a double quote is written \\")',
    "'": " (inside the text a single quote is written twice)",
}


type Explanation = Callable[[ParserProblem], RecipeError]


def explain(error: MarkedYAMLError, around: ErrorContext) -> RecipeError:
    """The parser's error as one of ours."""
    name = around.source.name
    at = place_of(error.problem_mark, name)
    begin = place_of(error.context_mark, name) if error.context_mark else at
    problem = error.problem or ""
    trouble = ParserProblem(around, around.source.lines, problem, error.context or "", at, begin)
    return merge_conflict(trouble) or PROBLEMS.get(problem, BY_CONTEXT.get(trouble.context, unknown))(trouble)


def merge_conflict(trouble: ParserProblem) -> RecipeError | None:
    """The first mark of an unresolved merge, which breaks any YAML."""
    numbers = (number for number, line in enumerate(trouble.lines, 1) if CONFLICT.match(line))
    number = next(numbers, 0)
    return trouble.error(trouble.place(number, 1), "a file without unresolved merge conflicts") if number else None


def unknown(trouble: ParserProblem) -> RecipeError:
    """A problem without words of our own: the parser's."""
    return trouble.error(trouble.at, "valid YAML", f"{trouble.found(trouble.at)}: {trouble.problem}")


def slip(trouble: ParserProblem, line: int) -> RecipeError | None:
    """A space or a colon that is missing in a line."""
    for pattern, expected in SLIPS.items():
        if found := pattern.match(trouble.line(line)):
            return trouble.error(trouble.place(line, found.start("found") + 1), expected)
    return None


SLIPS = {
    JAMMED_DASH: "a space after the dash",
    JAMMED_COLON: "a space after the colon",
    NO_COLON: "a colon after the key",
}


def second_colon(trouble: ParserProblem) -> RecipeError:
    """A colon where there can be no key: in a text, or in a line that YAML takes for more of the text above."""
    found = TWO_COLONS.match(trouble.before() + ":")
    if found:
        place = trouble.place(trouble.at.line, found.start("found") + 1)
        return trouble.error(place, "text in quotes, since it holds a colon and a space")
    return slip(trouble, trouble.above()) or indentation(trouble)


def no_colon(trouble: ParserProblem) -> RecipeError:
    """A word that stands where a key must be."""
    return slip(trouble, trouble.begin.line) or trouble.error(trouble.begin, "a key, a colon and a value on one line")


def no_place(trouble: ParserProblem) -> RecipeError:
    """Something that does not go on with the collection around it."""
    before = trouble.before().strip()
    if not before:
        return other_kind(trouble) if trouble.at.column in trouble.around.columns else indentation(trouble)
    if before[-1] in QUOTES:
        return after_quote(trouble, before[-1])
    return trouble.error(trouble.at, f"nothing after {'the closing bracket' if before[-1] in '}]' else 'the value'}")


def after_quote(trouble: ParserProblem, quote: str) -> RecipeError:
    """Text behind a closing quote: the quote belongs to the text, or an earlier one was not closed."""
    line = trouble.around.quote_line
    hint = f", which closes the text of line {line}" if 0 < line < trouble.at.line else QUOTES[quote]
    return trouble.error(trouble.at, f"nothing after the closing quote{hint}")


def other_kind(trouble: ParserProblem) -> RecipeError:
    """A list item among keys, or a key among list items."""
    wanted = "a list item, '- ' and a value" if "'-'" in trouble.problem else "a key and a colon"
    if "'-'" in trouble.problem and trouble.rest(trouble.at).startswith("-"):
        wanted = SLIPS[JAMMED_DASH]
    return trouble.error(trouble.at, f"{wanted}, as in line {trouble.begin.line}")


def indentation(trouble: ParserProblem) -> RecipeError:
    """A line that starts in a column in which nothing above starts, or behind a line that is no key and no value."""
    line = trouble.line(trouble.at.line)
    column = len(line) - len(line.lstrip()) + 1
    above = trouble.above()
    known = sorted({indent - 1 for indent in trouble.around.columns} | columns_of(trouble.line(above)))
    others = [str(indent) for indent in known if indent != column - 1]
    if not others or column in trouble.around.columns:
        return slip(trouble, above) or trouble.error(trouble.place(above, 1), "a key and a colon")
    return trouble.error(
        trouble.place(trouble.at.line, column), spaces(others), f"{column - 1} before {quoted(line.strip())}"
    )


def spaces(numbers: list[str]) -> str:
    """The indentations that a line may have."""
    *others, last = numbers
    allowed = f"{', '.join(others)} or {last}" if others else last
    return f"{allowed} space{'' if allowed == '1' else 's'} before this line"


def columns_of(line: str) -> set[int]:
    """The columns, from 0, in which the items and the key of a line start."""
    found = re.match(r"\s*(?:- +)*", line)
    dashes = {index for index, letter in enumerate(found[0]) if letter == "-"} if found else set()
    return dashes | ({found.end()} if found else set())


def open_bracket(trouble: ParserProblem) -> RecipeError:
    """A flow collection that goes on where it should not: mostly its bracket is not closed."""
    bracket = "]" if "]" in trouble.problem else "}"
    if trouble.at.line == trouble.begin.line and trouble.rest(trouble.at):
        return trouble.error(trouble.at, f"a comma or {bracket!r}")
    return trouble.error(trouble.begin, f"a {bracket!r} that closes {trouble.found(trouble.begin)}", trouble.ending())


def jammed(trouble: ParserProblem) -> RecipeError:
    """A colon in brackets that YAML takes for part of a word."""
    return trouble.error(trouble.at, "a space after the colon")


def no_value(trouble: ParserProblem) -> RecipeError:
    """A comma or a closing bracket where a value must be."""
    return trouble.error(trouble.at, "a value")


def bad_start(trouble: ParserProblem) -> RecipeError:
    """A character that means something else at the start of a word, or a tab."""
    rest = trouble.line(trouble.at.line)[trouble.at.column - 1 :]
    if rest.startswith("\t"):
        return tab(trouble)
    return trouble.error(trouble.at, f"text in quotes, since it starts with {rest[:1]!r}")


def bad_word(trouble: ParserProblem) -> RecipeError:
    """The same, where the parser first tried to make sense of what follows."""
    return trouble.error(trouble.begin, f"text in quotes, since it starts with {trouble.rest(trouble.begin)[:1]!r}")


def tab(trouble: ParserProblem) -> RecipeError:
    """A tab where only spaces count."""
    return trouble.error(trouble.at, "spaces", "a tab, which YAML does not take for indentation")


def open_quote(trouble: ParserProblem) -> RecipeError:
    """A quoted text without an end."""
    quote = trouble.rest(trouble.begin)[:1]
    return trouble.error(trouble.begin, f"a {quote} that closes {trouble.found(trouble.begin)}", trouble.ending())


def bad_escape(trouble: ParserProblem) -> RecipeError:
    r"""A backslash in double quotes that is no escape, as in "C:\dir"."""
    return escape_error(trouble, trouble.at, r"an escape such as \n or \\ (in single quotes a backslash is itself)")


def bad_digits(trouble: ParserProblem) -> RecipeError:
    r"""An escape without its digits, as in "C:\users": the parser stands behind its letter."""
    start = trouble.place(trouble.at.line, trouble.at.column - 2)
    return escape_error(trouble, start, r"digits after \x, \u or \U (in single quotes a backslash is itself)")


def half_pair(trouble: ParserProblem) -> RecipeError:
    """An escape of half a surrogate pair, as JSON writers make them for an emoji."""
    start = trouble.place(trouble.at.line, trouble.at.column - 2)
    return escape_error(trouble, start, r"a whole character: as it is, or as \U and 8 digits", 6)


def escape_error(trouble: ParserProblem, start: Place, expected: str, length: int = 2) -> RecipeError:
    """What is wrong with an escape of some length."""
    return trouble.error(start, expected, quoted(trouble.rest(start)[:length]))


def list_inline(trouble: ParserProblem) -> RecipeError:
    """A list item or a long key that starts behind a key."""
    expected = "a value, or the list on lines of its own" if "sequence" in trouble.problem else "a value"
    return trouble.error(trouble.at, expected)


def directive(trouble: ParserProblem) -> RecipeError:
    """A line that starts with a percent sign, or follows one."""
    return trouble.error(trouble.begin, "a file without YAML directives, lines that start with %")


def after_end(trouble: ParserProblem) -> RecipeError:
    """Something after the end of the mapping at the top."""
    if trouble.line(1).startswith("%"):
        return directive(trouble)
    return indentation(trouble) if not trouble.before().strip() else no_place(trouble)


def too_deep(trouble: ParserProblem) -> RecipeError:
    """More levels than anybody writes by hand."""
    return trouble.error(trouble.at, "fewer levels of lists and mappings inside each other")


PROBLEMS: dict[str, Explanation] = {
    "mapping values are not allowed in this context": second_colon,
    "could not find expected ':'": no_colon,
    "did not find expected key": no_place,
    "did not find expected '-' indicator": no_place,
    "did not find expected <document start>": after_end,
    "did not find expected ',' or ']'": open_bracket,
    "did not find expected ',' or '}'": open_bracket,
    "did not find expected node content": no_value,
    "found character that cannot start any token": bad_start,
    "found a tab character that violates indentation": tab,
    "found a tab character where an indentation space is expected": tab,
    "found unexpected end of stream": open_quote,
    "found unexpected document indicator": open_quote,
    "found unknown escape character": bad_escape,
    "did not find expected hexdecimal number": bad_digits,
    "found invalid Unicode character escape code": half_pair,
    "block sequence entries are not allowed in this context": list_inline,
    "mapping keys are not allowed in this context": list_inline,
    "found incompatible YAML document": directive,
    "found duplicate %YAML directive": directive,
    "found undefined tag handle": bad_word,
    "found unexpected ':'": jammed,
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
