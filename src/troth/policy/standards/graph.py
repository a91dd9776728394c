"""Triples as data, and the two ways they are written: JSON-LD 1.1 and Turtle (both W3C Recommendations)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

PREFIXES = {
    "dcterms": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "pd": "https://w3id.org/dpv/pd#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
#: The prefix of the operator's own terms; the graph knows what it stands for.
OWN = "own"
TYPE = "rdf:type"
#: Local names that Turtle takes after a prefix as they are; others are written as whole IRIs.
PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?")


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, with its datatype (a prefixed name) or its language, or neither."""

    text: str
    datatype: str = ""
    language: str = ""


#: A prefixed name such as `dpv:Process`, a whole IRI, or a literal.
type Thing = str | Literal


@dataclass(slots=True)
class Graph:
    """What is said of each subject. `base` is the IRI that the operator's own terms begin with."""

    base: str
    said: dict[str, dict[str, list[Thing]]] = field(default_factory=dict)

    def say(self, subject: str, predicate: str, *things: Thing) -> None:
        """Add triples; one that is there already is not added again."""
        for thing in things:
            there = self.said.setdefault(subject, {}).setdefault(predicate, [])
            if thing not in there:
                there.append(thing)

    def prefixes(self) -> dict[str, str]:
        """Return prefix -> IRI, the operator's own included."""
        return {OWN: self.base, **PREFIXES}

    def json_ld(self) -> str:
        """Write JSON-LD; its context stands in the document, so that nothing is fetched to read it."""
        nodes = [_node(subject, said) for subject, said in self.said.items()]
        return json.dumps({"@context": self.prefixes(), "@graph": nodes}, indent=2, ensure_ascii=True) + "\n"

    def turtle(self) -> str:
        """Write Turtle."""
        lines = [f"@prefix {prefix}: <{iri}> ." for prefix, iri in self.prefixes().items()]
        for subject, said in self.said.items():
            lines += ["", self._written(subject)]
            lines += [f"    {line}" for line in self._predicates(said)]
        return "\n".join(lines) + "\n"

    def _predicates(self, said: dict[str, list[Thing]]) -> Iterator[str]:
        last = list(said)[-1]
        for predicate, things in said.items():
            verb = "a" if predicate == TYPE else self._written(predicate)
            yield f"{verb} {', '.join(map(self._written, things))} {'.' if predicate == last else ';'}"

    def _written(self, thing: Thing) -> str:
        if isinstance(thing, Literal):
            kind = f"@{thing.language}" if thing.language else ""
            return quoted(thing.text) + (f"^^{self._written(thing.datatype)}" if thing.datatype else kind)
        prefix, _, local = thing.partition(":")
        namespace = self.prefixes().get(prefix)
        if namespace is None:
            return f"<{thing}>"
        return thing if PLAIN.fullmatch(local) else f"<{namespace}{local}>"


def quoted(text: str) -> str:
    """Write a text in quotation marks the way Turtle and YAML both read it; what cannot be seen is escaped."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"  # noqa: PLR2004 - the end of the first plane


def _node(subject: str, said: dict[str, list[Thing]]) -> dict[str, Any]:
    node: dict[str, Any] = {"@id": subject}
    for predicate, things in said.items():
        if predicate == TYPE:
            node["@type"] = [str(thing) for thing in things]
        else:
            node[predicate] = [_value(thing) for thing in things]
    return node


def _value(thing: Thing) -> dict[str, str]:
    if not isinstance(thing, Literal):
        return {"@id": thing}
    kind = {"@type": thing.datatype} if thing.datatype else {}
    return {"@value": thing.text} | ({"@language": thing.language} if thing.language else kind)
