"""Who is who, as people look at it and correct it."""

from __future__ import annotations

from typing import Any

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.datasets import list_datasets, person_rows
from likelier.errors import UnknownNameError, UsageError
from likelier.identity import cuts
from likelier.identity.components import MOST_LINKED
from likelier.identity.graph import Around, around
from likelier.identity.links import node, parted
from likelier.phrases import say
from likelier.service.profiles import engine_when_needed, find_profile
from likelier.service.workspace import Workspace


def find_links(workspace: Workspace, namespace: str, identity: str) -> dict[str, Any]:
    """Tell which ids are one person with an id, by which links, and which links do not count: of hubs, and cut ones.

    A hub is an id with more than so many neighbours (`most_linked`): it joins nobody.
    """
    return _told(namespace, identity, _around(workspace, namespace, identity))


def find_person(workspace: Workspace, namespace: str, identity: str, instance: str | None = None) -> dict[str, Any]:
    """Tell one profile of all ids that are one person with an id, by all links known so far."""
    found = _around(workspace, namespace, identity)
    return find_profile(workspace, namespace, identity, instance, ids=[parted(one) for one in found.ids])


def cut_link(
    workspace: Workspace, actor: Actor, one: tuple[str, str], other: tuple[str, str], *, cut: bool = True
) -> dict[str, Any]:
    """Declare a link wrong, or take that back, for whatever begins from now on; answer what is linked then.

    Scores that were given before stay.
    """
    names = node(*one), node(*other)
    pair = (min(names), max(names))
    found = _around(workspace, *one)
    if pair not in found.links:
        raise UsageError(
            say(
                "{namespace} {id} and {other_namespace} {other_id} were never seen together: there is no link.",
                namespace=one[0],
                id=one[1],
                other_namespace=other[0],
                other_id=other[1],
            )
        )
    if cut != (pair in found.cut):
        now, number = workspace.clock(), workspace.new_id()
        if cut:
            cuts.cut(workspace.lake, *pair, at=now, by=actor.name, id_=number)
        else:
            cuts.restore(workspace.lake, *pair)
        # The log cannot forget a person who is deleted, so it names the cut and no id.
        thing = Thing("link", number, f"{one[0]} - {other[0]}")
        with workspace.store.write() as connection:
            record(connection, actor, "link.cut" if cut else "link.restore", thing, now=now)
    return find_links(workspace, *one)


def _around(workspace: Workspace, namespace: str, identity: str) -> Around:
    datasets = list_datasets(workspace.lake)
    known = {name for dataset in datasets for name in dataset.namespaces}
    if namespace not in known:
        raise UnknownNameError("namespace", namespace, known)
    with engine_when_needed(workspace) as engine:
        knowing = {name: [one for one in datasets if name in one.namespaces] for name in known}
        return around(
            lambda name, one: [
                (dataset, person_rows(engine, workspace.lake, dataset, name, one)) for dataset in knowing[name]
            ],
            node(namespace, identity),
            cuts.cut_links(workspace.lake),
        )


def _told(namespace: str, identity: str, found: Around) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "id": identity,
        "ids": [_id(one) for one in sorted(found.ids)],
        "links": [
            {
                "a": _id(a),
                "b": _id(b),
                "first": seen.first.isoformat(),
                "last": seen.last.isoformat(),
                "rows": seen.rows,
                "counts": not ((a, b) in found.cut or a in found.hubs or b in found.hubs),
                "cut": (a, b) in found.cut,
            }
            for (a, b), seen in sorted(found.links.items())
        ],
        "hubs": [{**_id(one), "neighbours": count} for one, count in sorted(found.hubs.items())],
        "most_linked": MOST_LINKED,
    }


def _id(name: str) -> dict[str, str]:
    namespace, identity = parted(name)
    return {"namespace": namespace, "id": identity}
