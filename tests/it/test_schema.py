# SPDX-License-Identifier: MIT
"""The SQL that we ship runs on every server that is supported: MySQL 8.0 to 9, MariaDB 10.5 to 11.8."""

import re

import pytest
from lab import documents, mariadb

# Each of these is a function, or a type with a size, of all those servers, without a component or an option.
# MySQL 9 lacks MD5 and SHA1, all of MySQL lacks what MariaDB has of its own, and the other way round.
COMMON = {
    "BINARY", "CAST", "CHAR_LENGTH", "COALESCE", "CONCAT", "COUNT", "CURRENT_USER", "DATABASE", "DATETIME", "FIND_IN_SET",
    "IF", "JSON_OBJECT", "LEFT", "SHA2", "SUBSTRING_INDEX", "SUM", "TIMESTAMPDIFF", "TINYINT", "UNHEX", "UTC_TIMESTAMP", "VARCHAR", "VERSION",
}

# Words that stand before a parenthesis and are no functions.
WORDS = {"AND", "AS", "BY", "FROM", "IN", "KEY", "ON", "OR", "SELECT", "USING", "VALUES"}

FILES = sorted(mariadb.SCHEMA.glob("*.sql"))
SOURCES = sorted(path for path in (documents.ROOT / "src").rglob("*.c")
                 if re.search(r'"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE TABLE) ', path.read_text(encoding="utf-8")))


def called(sql):
    """The names of functions that SQL calls: what stands directly before a parenthesis, in words of SQL."""
    return {name.upper() for name in re.findall(r"(?<![`\w])([A-Za-z_][A-Za-z_0-9]*)\(", sql)} - WORDS


def without_comments(sql):
    return re.sub(r"'[^']*'", "''", re.sub(r"--.*", "", sql))


def sql_of(source):
    """The string literals of a C file; a literal that is no SQL has a blank or nothing before its parentheses."""
    text = re.sub(r"^\s*//.*$", "", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    statements = [literal for literal in re.findall(r'(?:"(?:[^"\\]|\\.)*"\s*)+', text) if re.search(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|JOIN|WHERE)\b", literal)]
    return without_comments("\n".join(statements).replace('"', ""))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_schema_file_calls_only_what_every_server_has(path):
    sql = without_comments(path.read_text(encoding="utf-8"))
    tables = set(re.findall(r"(?:INTO|TABLE(?: IF NOT EXISTS)?|ON) `?(\w+)`? ?\(", sql))
    assert called(sql) - {table.upper() for table in tables} <= COMMON


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_so_does_the_program(path):
    assert called(sql_of(path)) <= COMMON


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_display_width(path):
    """int(11) and its like are deprecated by MySQL, and only tinyint(1) stays."""
    sql = without_comments(path.read_text(encoding="utf-8"))
    assert not re.search(r"\b(?:smallint|mediumint|int|bigint)\(\d+\)|\btinyint\((?!1\))", sql, re.IGNORECASE)


def test_there_is_something_to_look_at():
    assert len(FILES) >= 4 and len(SOURCES) >= 2
