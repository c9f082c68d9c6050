"""The commands of `likelier privacy`."""
# ruff: noqa: FBT002, PLC0415 - a flag of typer is a boolean parameter; each command loads what it needs

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from likelier.access.identity import person_at_the_keyboard
from likelier.cli.frame import Commands, Home, Json, margin, opened, plain, print_json, screen
from likelier.errors import UsageError

privacy = typer.Typer(
    name="privacy", cls=Commands, help="Give out or delete all that is known of a person.", no_args_is_help=True
)

Namespace = Annotated[str, typer.Argument(metavar="NAMESPACE", help="Whose ids it is one of, such as CRMID.")]
Identity = Annotated[str, typer.Argument(metavar="ID", help="An id of the person.")]


@privacy.command()
def access(
    namespace: Namespace,
    identity: Identity,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.json", help="The file to write.")],
    home: Home = None,
) -> None:
    """Write all that is known of a person to a JSON file that only its owner may read."""
    from likelier.service import privacy as service
    from likelier.service.files import whole_file

    with opened(home) as workspace:
        found = service.everything_about(workspace, person_at_the_keyboard(), namespace, identity)
    with whole_file(output) as file:
        Path(file.name).chmod(0o600)
        file.write(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    told = ", ".join(f"{len(found[key]):,} {key.replace('_', ' ')}" for key in KINDS if found[key])
    margin().print(plain(f"{told or 'Nothing'} of {len(found['ids'])} ids: {output}"))


KINDS = ("events", "attributes", "scores", "segments", "hold_outs", "set_aside", "cut_links")


@privacy.command()
def delete(
    namespace: Namespace,
    identity: Identity,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: nothing brings the data back.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Delete all that is known of a person, for good; a salted proof that it was done is kept."""
    from likelier.service import privacy as service

    if not yes:
        raise UsageError("This deletes a person's data for good. Look at it first (privacy access), then add --yes.")
    with opened(home) as workspace:
        found = service.erase(workspace, person_at_the_keyboard(), namespace, identity)
    if json:
        print_json(found)
        return
    told = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in found["deleted"].items() if count)
    screen().print(plain(f"Deleted of {found['ids']} ids: {told or 'nothing was there'}. Proof: {found['erasure']}"))
    if found["shared_ids"]:
        margin().print(f"{found['shared_ids']} ids beside theirs are others' as well, and were left alone.")
    for one in found["left"]:
        margin().print(
            plain(f"Somebody wrote one of the ids in {one['where']} ({one['texts']} texts): change it there.")
        )


@privacy.command()
def proofs(namespace: Namespace, identity: Identity, home: Home = None, json: Json = False) -> None:
    """Tell whether and when somebody was deleted, by an id of theirs."""
    from likelier.service import privacy as service

    with opened(home) as workspace:
        found = service.proofs_of(workspace, namespace, identity)
    if json:
        print_json(found)
    for one in () if json else found:
        ended = f"deleted {one['finished_at'][:19]}" if one["finished_at"] else "broken off: ask again"
        screen().print(plain(f"{one['erasure']}  {ended}, asked for by {one['requested_by']}"))
    if not found and not json:
        margin().print("Nobody was deleted by this id.")
