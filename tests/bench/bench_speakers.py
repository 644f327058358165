"""Who spoke when, and who said which word, against recordings whose truth lies beside them.

    python -m tests.bench.bench_speakers [FOLDER] [--threads N] [--no-words]

FOLDER holds recordings, each with a JSON of the same name that says `turns` (speaker, start, end, text);
without it, the sample show is used. For each recording: the diarization error rate (collar 0.25 s, overlap
counted) with the number of speakers found and given, seconds of audio per second of processor time, and
the share of words given to the wrong speaker after Whisper (the packaged model) heard them.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

from tests.hearing import made_of, scribe
from tests.speaking import error_rate, go_on, sample, truth, words_wrong
from worker.assigning import assigned
from worker.audio import RATE, decode
from worker.diarizing import turns_of
from worker.transcribing import Scribe
from worker.voices import Voiced, Voices
from worker.windows import windows


def recordings(folder: Path | None) -> list[Path]:
    """Those with at least two speakers who say something."""
    found = [sample(1), sample(2)] if folder is None else sorted(folder.glob("*.mp3"))
    return [path for path in found if path.with_suffix(".json").exists() and _spoken(path)]


def _spoken(path: Path) -> bool:
    turns = json.loads(path.with_suffix(".json").read_text("utf-8")).get("turns", [])
    return len({turn.get("speaker") for turn in turns}) > 1


def heard(voices: Voices, path: Path) -> tuple[list[Voiced], float, float]:
    """The voices, the seconds of audio, and the seconds of processor time that they took."""
    cpu, audio_s, found = 0.0, 0.0, list[Voiced]()
    for window in windows(decode(path)):
        began = time.process_time()
        found.append(voices.listen(window.samples, window.start_s, go_on))
        cpu += time.process_time() - began
        audio_s += len(window.samples) / RATE
    return found, audio_s, cpu


def measure(path: Path, voices: Voices, whisper: Scribe | None) -> None:
    known = truth(path)
    found, audio_s, cpu = heard(voices, path)
    people = len({turn.speaker for turn in known.turns})
    free, given = turns_of(found), turns_of(found, people, people)
    rates = [100 * error_rate(known.turns, each.turns) for each in (free, given)]
    line = f"{path.stem:28}{len(free.seconds):3} of {people}  {rates[0]:6.2f} %  {rates[1]:6.2f} %  "
    line += f"{audio_s / cpu:6.1f} x"
    if whisper:
        segments = made_of(path, whisper).transcript.segments
        wrong, words = words_wrong(known, assigned(segments, free.turns))
        line += f"  {wrong:4} of {words:5}  {100 * wrong / words:5.2f} %"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-words", action="store_true", help="leave Whisper out")
    options = parser.parse_args()
    whisper = None if options.no_words else scribe(speakers=False, threads=options.threads, beam_size=1)
    print(f"{'recording':28}{'speakers':9} {'found':>6}    {'given':>6}      speed  words to the wrong one")
    for path in recordings(options.folder):
        measure(path, Voices(options.threads), whisper)
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
