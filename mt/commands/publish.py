"""`mt publish`: a run's model on the Hugging Face hub, with cards that say what it is made of and what it is for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mt.commands.environment import quiet_libraries
from mt.config.parsing import QuietParser, parse_or_help
from mt.errors import RunError, UsageError
from mt.files import new_directory, printable, writing

if TYPE_CHECKING:
    from mt.report.publishing_card import Publication

_LEFT_OUT = "left out: data, translations, checkpoints"


def run(argv: Sequence[str], prog: str) -> int:
    """Upload the model, or write the folder that would be uploaded, and print where it is. Raises `UserError`s."""
    command = parse_publish(argv, prog)
    check_publish(command)
    quiet_libraries()
    if command.dry_run is None:
        _check_token()
    from mt.report.publishing import read_publication
    from mt.report.publishing_card import unknown_in, warning_of

    publication = read_publication(command.run, command.repo, command.licence, with_report=command.with_report)
    for sentence in filter(None, [warning_of(publication.chain), unknown_in(publication.chain)]):
        print(f"{prog}: {sentence}", file=sys.stderr)
    if command.with_report:
        print(f"{prog}: the report shows test sentences, training samples and paths", file=sys.stderr)
    if command.dry_run is not None:
        _write(command, publication, command.dry_run)
    else:
        _publish(command, publication)
    report = "" if command.with_report else ", the report (it shows test sentences; --with_report adds it)"
    print(f"licence: {publication.licence}\n{_LEFT_OUT}{report}")
    return 0


@dataclass(frozen=True)
class PublishCommand:
    """What `mt publish` was asked to do."""

    run: Path
    repo: str
    """`OWNER/NAME`."""
    dry_run: Path | None
    """Where to write the folder instead of uploading it."""
    private: bool
    revision: str | None
    with_report: bool
    licence: str | None


def _write(command: PublishCommand, publication: Publication, directory: Path) -> None:
    from mt.report.publishing import fill_folder

    with writing(directory), new_directory(directory) as folder:
        skipped = fill_folder(folder, command.run, publication)
    _mention(skipped)
    for file in sorted(directory.iterdir()):
        print(f"{file.stat().st_size:>12,}  {file.name}")
    print(f"folder: {printable(directory)}, for {command.repo}; nothing was uploaded")


def _publish(command: PublishCommand, publication: Publication) -> None:
    from mt.report.publishing import fill_folder

    with TemporaryDirectory(prefix="mt-publish-") as temporary:
        folder = Path(temporary)
        # The weights stay where they are: only links to them are made.
        skipped = fill_folder(folder, command.run, publication, lambda file, link: link.symlink_to(file))
        _mention(skipped)
        address = upload(command, folder)
    print(f"published: {address}")


def _mention(skipped: Sequence[str]) -> None:
    if skipped:
        print(f"not part of the model, left out: {', '.join(map(printable, skipped))}", file=sys.stderr)


def upload(command: PublishCommand, folder: Path) -> str:
    """Create the repository if there is none, and upload the folder; returns its address. Raises `RunError`."""
    import huggingface_hub

    from mt.report.publishing import MAY_BE_REPLACED

    api = huggingface_hub.HfApi()
    try:
        if api.repo_exists(command.repo):
            _check_visibility(command, api.model_info(command.repo))
        else:
            api.create_repo(command.repo, private=command.private)
        if command.revision is not None:
            api.create_branch(command.repo, branch=command.revision, exist_ok=True)
        done = api.upload_folder(
            repo_id=command.repo,
            folder_path=folder,
            revision=command.revision,
            commit_message=f"{command.run.resolve().name}, published with mt",
            delete_patterns=MAY_BE_REPLACED,
        )
    except RunError:
        raise
    except Exception as error:  # whatever the client raises: no network, no rights, a hub that is down
        raise RunError(_failure(command.repo, error)) from error
    return str(done.commit_url)


def _check_visibility(command: PublishCommand, info: Any) -> None:
    if command.private and not info.private:
        raise RunError(
            f"{command.repo}: exists and is public, and nothing was uploaded; say --private false if everybody may "
            "have this model, or choose another name"
        )


def _failure(repo: str, error: Exception) -> str:
    """What went wrong with an upload, and what to do, in one sentence."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    name, reason = type(error).__name__, str(error).strip().partition("\n")[0][:200]
    if name == "OfflineModeIsEnabled":
        return f"{repo}: HF_HUB_OFFLINE is set, so nothing can be uploaded; unset it"
    if status == 401:
        return f"{repo}: the hub does not accept the token; make a new one with write access and set HF_TOKEN to it"
    if status in (403, 404) or name == "RepositoryNotFoundError":
        return f"{repo}: the token may not write there; check the owner's name, and give the token write access to it"
    said = f"{name}: {reason}" if reason else name
    again = "run the same command again, which uploads only what is missing"
    if status is not None:
        return f"{repo}: the hub refused the upload (status {status}, {said}); {again}, or wait if it is busy"
    return f"{repo}: the upload broke off ({said}); check the network, then {again}"


def parse_publish(argv: Sequence[str], prog: str) -> PublishCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    parser = publish_parser(prog)
    options = parse_or_help(parser, argv)
    directory = None if options.dry_run is None else Path(options.dry_run)
    licence = options.licence
    if licence is not None and not (licence.strip() and licence.isprintable()):
        raise UsageError(f"--licence takes the name of a licence, such as cc-by-4.0, got {licence!r}")
    return PublishCommand(
        Path(options.run),
        options.repo,
        directory,
        options.private,
        options.revision,
        options.with_report,
        licence,
    )


def publish_parser(prog: str) -> QuietParser:
    """The parser behind `mt publish --help`."""
    parser = QuietParser(
        prog=prog,
        usage="%(prog)s RUN OWNER/NAME [--dry_run DIRECTORY] [--private false] [--revision BRANCH] [--licence NAME] "
        "[--with_report]",
        description="Upload the model of a finished run to the Hugging Face hub, with a model card, a data card and "
        "its scores. No sentence of the corpora is uploaded without --with_report. The token is HF_TOKEN or that of "
        "`hf auth login`.",
    )
    parser.add_argument("run", metavar="RUN", type=str, help="the directory of a finished run")
    parser.add_argument("repo", metavar="OWNER/NAME", type=str, help="the repository, made if it does not exist")
    parser.add_argument(
        "--dry_run",
        metavar="DIRECTORY",
        type=str | None,
        default=None,
        help="write the folder that would be uploaded to this new directory, and upload nothing",
    )
    parser.add_argument("--private", type=bool, default=True, help="false: everybody may see and fetch the model")
    parser.add_argument(
        "--revision", metavar="BRANCH", type=str | None, default=None, help="the branch; default: the main one"
    )
    parser.add_argument(
        "--licence",
        metavar="NAME",
        type=str | None,
        default=None,
        help="licence for the card, as the hub writes it; default: what base and corpora share, other, or unknown",
    )
    parser.add_argument(
        "--with_report", action="store_true", help="also upload the report, which shows sentences of the corpora"
    )
    return parser


def check_publish(command: PublishCommand) -> None:
    """Check the repository's name and the directory for `--dry_run`. Raises `UsageError` and `RunError`."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(command.repo)
    except HFValidationError as error:
        raise UsageError(f"{command.repo}: is no name of a repository ({error})") from error
    if command.repo.count("/") != 1:
        raise UsageError(f"{command.repo}: lacks its owner; the form is OWNER/NAME")
    directory = command.dry_run
    if directory is not None and directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise RunError(f"{printable(directory)}: exists; name a new or empty directory with --dry_run")


def _check_token() -> None:
    """Only that there is one: whether it may write is for the hub to say."""
    from huggingface_hub import get_token

    if not get_token():
        raise RunError("there is no token for the hub; set HF_TOKEN, or run `hf auth login` once")
