"""Where translations are written: beside the documents, or where `--output` says, and never over a document."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mt.documents.formats import Format
from mt.errors import DataError, UsageError
from mt.files import printable, refuse_device
from mt.input_files import is_directory, is_pipe
from mt.languages import language_named

STDOUT = "-"
"""The name of standard output."""


@dataclass(frozen=True)
class Job:
    """A file, and where its translation goes."""

    file: str
    """`-`: standard input."""
    name: str
    """For messages."""
    format: Format
    output: Path | None
    """None: standard output."""
    bilingual: Path | None = None
    """Where source and target go side by side; None: nowhere."""
    page: Path | None = None
    """Where the page goes on which a person corrects the translations; None: nowhere."""

    @property
    def paths(self) -> list[Path]:
        """What is written, apart from standard output."""
        return [path for path in (self.output, self.bilingual, self.page) if path is not None]

    @property
    def document_name(self) -> str:
        """The name of the document in bilingual tables, on one line."""
        return "stdin" if self.file == "-" else " ".join(Path(self.file).name.replace("\t", " ").splitlines())


def output_paths(
    files: Sequence[str], output: str | None, codes: tuple[str, str], *, to_stdout: bool, overwrite: bool
) -> list[Path | None]:
    """The path of each translation; None for standard output. Nothing is created.

    output: `--output`. codes: those of source and target language. to_stdout: where a single translation goes without
    `--output`. Raises `UsageError` and `DataError`, also for a path that is there already.
    """
    if output == STDOUT or (output is None and (to_stdout or files == ["-"])):
        if len(files) > 1:
            raise UsageError("only one translation can go to standard output; give --output DIRECTORY")
        return [None]
    paths = [_path_of(file, output, codes, is_only=len(files) == 1) for file in files]
    places = [os.path.realpath(path) for path in paths]
    for file, path, place in zip(files, paths, places, strict=True):
        _check(path, files, overwrite=overwrite)
        if places.count(place) > 1:
            raise DataError(
                f"{printable(path)}: would be the translation of several files, such as {printable(file)}; translate "
                "them one by one"
            )
    return list(paths)


def _path_of(file: str, output: str | None, codes: tuple[str, str], *, is_only: bool) -> Path:
    is_nameless = file == "-" or is_pipe(file)
    if output is None:
        if is_nameless:
            raise UsageError(f"{printable(file)}: the translation needs a name; give --output FILE")
        return translated_name(Path(file), codes)
    if is_directory(output) or output.endswith(("/", os.sep)) or not is_only:
        if is_nameless:
            raise UsageError(f"--output {output}: standard input and pipes have no name; give --output FILE")
        if os.path.lexists(output) and not is_directory(output):
            raise UsageError(f"--output {output}: is a file; of several documents, give a directory")
        return Path(output) / translated_name(Path(file), codes).name
    return Path(output)


def translated_name(path: Path, codes: tuple[str, str]) -> Path:
    """`report.docx` -> `report.ar.docx`; `report.en.docx` -> `report.ar.docx`."""
    name, ending = path.name, path.suffix
    stem = name.removesuffix(ending) if ending else name
    return path.with_name(f"{stem.removesuffix(f'.{codes[0]}')}.{codes[1]}{ending}")


def codes_of(source: str, target: str) -> tuple[str, str]:
    """The codes of the languages as file names have them, from what the options of a model name them."""
    source_language, target_language = language_named(source), language_named(target)
    return (
        source if source_language is None else source_language.code,
        target if target_language is None else target_language.code,
    )


def bilingual_path(output: Path | None, file: str, languages: tuple[str, str]) -> Path:
    """`report.ar.docx` -> `report.ar.docx.bilingual.tsv`, beside the translation, or where that would be."""
    return _beside(output, file, languages, "--bilingual", ".bilingual.tsv")


def page_path(output: Path | None, file: str, languages: tuple[str, str]) -> Path:
    """`report.ar.docx` -> `report.ar.docx.review.html`, in the same place as the table."""
    return _beside(output, file, languages, "--page", ".review.html")


def _beside(output: Path | None, file: str, languages: tuple[str, str], option: str, ending: str) -> Path:
    path = output
    if path is None:
        if file == "-" or is_pipe(file):
            raise UsageError(f"{option} needs a name: give --output FILE, or a file to translate")
        path = translated_name(Path(file), languages)
    return path.with_name(f"{path.name}{ending}")


def check_free(path: Path, files: Sequence[str], *, overwrite: bool) -> None:
    """Raise `DataError` if a file must not be written: it is a document to be translated, or is there already."""
    _check(path, files, overwrite=overwrite)


def _check(path: Path, files: Sequence[str], *, overwrite: bool) -> None:
    fault = _fault_of(path)
    if fault is not None:
        raise DataError(
            f"{printable(path)}: cannot be written ({fault}); give --output, with a place and name that can"
        )
    for file in files:
        try:
            is_same = file != "-" and os.path.samefile(file, path)  # noqa: PTH121
        except OSError:
            is_same = False
        if is_same:
            raise DataError(f"{printable(path)}: the translation would be written over the document; name another file")
    refuse_device(path, "give `-` for standard output")
    if is_directory(path):
        raise DataError(f"{printable(path)}: is a directory, and would be a translation; name another file")
    if os.path.lexists(path) and not overwrite:
        raise DataError(f"{printable(path)}: is there already; give --overwrite to replace it, or --output")


def _fault_of(path: Path) -> str | None:
    """Why nothing can be written under this name, as far as that can be told before; None if it can.

    Documents are written when they are translated, and an error then would cost all of it.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        return error.strerror or str(error)
    above = next(each for each in path.absolute().parents if os.path.lexists(each))
    if not is_directory(above):
        return f"{printable(above.name)} is no directory"
    return None if os.access(above, os.W_OK | os.X_OK) else f"{printable(above.name)} is not writable"
