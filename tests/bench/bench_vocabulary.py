"""What a vocabulary puts right and what it breaks: learnt from a show's earlier episodes, tried on its later.

    python -m tests.bench.bench_vocabulary CORRECTIONS.tsv [--truth FOLDER] [--sentences AUDIO.mp3]

CORRECTIONS.tsv has a line for each correction people made: kind, wrong, right, the number of episodes,
their numbers. A truth folder holds JSON files with `turns`, each with a `text` that is right. The sentences
are audio with such a JSON file beside it that also names its `terms`; they are heard with the packaged
model.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.correcting import corrected
from pipeline.learning import Pair, learnt_rules
from pipeline.model import Segment, Word
from pipeline.scoring import word_error_rate
from pipeline.sound import key
from pipeline.vocabulary import Vocabulary, read_vocabulary, written
from tests.hearing import made_of, scribe


@dataclass(frozen=True)
class Correction:
    """One line of the file."""

    kind: str
    wrong: str
    right: str
    episodes: tuple[int, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("corrections", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--sentences", type=Path)
    parser.add_argument("--show", action="store_true", help="each correction and what became of it")
    arguments = parser.parse_args()
    corrections = read(arguments.corrections)
    middle = statistics.median(number for each in corrections for number in each.episodes)
    learnt = from_episodes(corrections, middle)
    assert read_vocabulary(written(learnt), "learnt") == learnt
    wrongs = sum(len(rule.wrong) for rule in learnt.rules if not rule.suggest)
    print(f"learnt from episodes up to {middle:.0f}: {wrongs} wrong forms, {len(learnt.rules)} rules")
    tried(corrections, learnt, middle, arguments.show)
    named(corrections, learnt, middle)
    unbroken(corrections, learnt, middle)
    if arguments.truth:
        true_texts(arguments.truth, learnt)
    if arguments.sentences:
        sentences(arguments.sentences)


def read(path: Path) -> list[Correction]:
    """The file's lines."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Correction(row["kind"], row["wrong"], row["right"], tuple(map(int, row["episodes"].split())))
            for row in rows
        ]


def from_episodes(corrections: Sequence[Correction], last: float) -> Vocabulary:
    """What the episodes up to one teach."""
    pairs = [
        Pair(each.wrong, each.right, sum(number <= last for number in each.episodes))
        for each in corrections
        if min(each.episodes) <= last
    ]
    return learnt_rules(pairs)


def passage(text: str) -> Segment:
    """A text as if it were heard, two words a second."""
    words = tuple(Word(word, n / 2, n / 2 + 0.5, 0.9) for n, word in enumerate(text.split()))
    return Segment("", 0.0, len(words) / 2, text, words)


def outcome(wrong: str, right: str, vocabulary: Vocabulary) -> str:
    """What becomes of a wrong form: right, suggested, otherwise (changed, but not to this), or nothing."""
    result = corrected([passage(wrong)], vocabulary)
    text = result.segments[0].text
    if text == right:
        return "right"
    for entry in result.applied:
        if entry["status"] == "suggested" and wrong.replace(entry["wrong"], entry["right"]) == right:
            return "suggested"
    return "otherwise" if text != wrong else "nothing"


def tried(corrections: Sequence[Correction], vocabulary: Vocabulary, middle: float, show: bool) -> None:
    """The later half's wrong forms, each as often as it was corrected."""
    rights = {rule.right for rule in vocabulary.rules}
    counts: dict[str, dict[str, int]] = {}
    for each in corrections:
        times = sum(number > middle for number in each.episodes)
        if not times:
            continue
        became = outcome(each.wrong, each.right, vocabulary)
        groups = ["all", each.kind, *(["right form known"] if each.right in rights else [])]
        for group in groups:
            row = counts.setdefault(group, {})
            row[became] = row.get(became, 0) + times
        if show:
            print(f"    {became:10s} {times} {each.wrong} -> {each.right}")
    for group, row in counts.items():
        total = sum(row.values())
        shares = ", ".join(f"{name} {row.get(name, 0)}" for name in OUTCOMES)
        print(f"later half, {group}: {total} corrections: {shares} ({row.get('right', 0) / total:.0%} right)")


OUTCOMES = ("right", "suggested", "otherwise", "nothing")


def named(corrections: Sequence[Correction], vocabulary: Vocabulary, middle: float) -> None:
    """The later half once more, where people have listed its names: what likeness alone can do."""
    later = [each for each in corrections if max(each.episodes) > middle]
    names = {each.right for each in later if each.kind == "term" and re.search("[A-Z]", each.right)}
    terms = tuple(sorted(name for name in names if len(name.split()) < 3 and re.fullmatch(r"[\w ]+", name)))
    known = Vocabulary(terms, vocabulary.rules)
    became = [outcome(each.wrong, each.right, known) for each in later if each.right in terms]
    print(f"later half, its {len(terms)} names listed: {Counter(became)}")


def unbroken(corrections: Sequence[Correction], vocabulary: Vocabulary, middle: float) -> None:
    """Right forms must stay as they are; so must those that the vocabulary does not know."""
    rights = sorted({each.right for each in corrections})
    broken = [right for right in rights if corrected([passage(right)], vocabulary).segments[0].text != right]
    spelled = Counter(key(right) for right in rights)
    torn = [right for right in broken if spelled[key(right)] > 1]  # people wrote it in two ways
    broken = [right for right in broken if right not in torn]
    later = {each.right for each in corrections if max(each.episodes) > middle}
    print(
        f"right forms broken: {len(later.intersection(broken))} of {len(later)} of the later half, "
        f"{len(broken)} of {len(rights)} of all {broken}; people wrote in two ways: {torn}"
    )
    strange: list[str] = []
    names = [right for right in rights if re.search(r"[A-Z]", right)]
    for name in names:
        without = tuple(rule for rule in vocabulary.rules if rule.right != name)
        others = Vocabulary(tuple(each for each in names if each != name), without)
        result = corrected([passage(name)], others)
        strange += [
            f"{entry['wrong']} -> {entry['right']} ({entry['by']})"
            for entry in result.applied
            if entry["status"] == "applied"
        ]
    print(f"names changed where only the others are known: {len(strange)} of {len(names)} {strange}")


def true_texts(folder: Path, vocabulary: Vocabulary) -> None:
    """Texts that are right as they are: every change is a false one."""
    words = 0
    false: list[str] = []
    suggested = 0
    for path in sorted(folder.glob("*.json")):
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = Vocabulary(tuple(document.get("terms", ())), vocabulary.rules)
        segments = [passage(turn["text"]) for turn in document.get("turns", [])]
        words += sum(len(segment.words) for segment in segments)
        for entry in corrected(segments, known).applied:
            if entry["status"] == "applied":
                false.append(f"{entry['wrong']} -> {entry['right']}")
            else:
                suggested += 1
    print(
        f"true texts: {len(false)} false edits in {words} words, "
        f"{1000 * len(false) / max(1, words):.2f} per 1,000; {suggested} suggestions {false}"
    )


RULES = """
[[rule]]
wrong = ["4th theorem", "fourth theorem", "for theorem"]
right = "fourTheorem"
[[rule]]
wrong = ["aws bytes", "WSBights"]
right = "AWS Bites"
[[rule]]
wrong = "owen"
right = "Eoin"
[[rule]]
wrong = "MIDI"
right = "Middy"
near = ["middleware", "AWS", "Lambda"]
[[rule]]
wrong = ["bottle rocket", "battle rocket"]
right = "Bottlerocket"
near = ["AWS", "containers", "host", "Fargate", "instances"]
"""
"""What a person would write for a show about AWS."""


def sentences(audio: Path) -> None:
    """Sentences full of terms, heard, then with their terms known: no rules, no hints."""
    truth: dict[str, Any] = json.loads(audio.with_suffix(".json").read_text(encoding="utf-8"))
    heard = made_of(audio, scribe()).transcript
    terms = Vocabulary(tuple(truth["terms"]))
    alone = corrected(heard.segments, terms)
    result = corrected(heard.segments, Vocabulary(terms.terms, read_vocabulary(RULES, "rules").rules))
    true = " ".join(turn["text"] for turn in truth["turns"])
    steps = {"heard": heard, "terms known": alone, "and rules": result}
    for name, segments in ((name, step.segments) for name, step in steps.items()):
        text = " ".join(segment.text for segment in segments)
        hits = sum(min(count(text, term), count(true, term)) for term in truth["terms"])
        wanted = sum(count(true, term) for term in truth["terms"])
        print(f"{name}: {hits} of {wanted} terms, word error rate {word_error_rate(true, text):.1%}")
    for entry in result.applied:
        print(f"    {entry['status']}: {entry['wrong']} -> {entry['right']}")


def count(text: str, term: str) -> int:
    """How often a term stands in a text, exactly."""
    return len(re.findall(rf"(?<!\w){re.escape(term)}(?!\w)", text))


if __name__ == "__main__":
    main()
