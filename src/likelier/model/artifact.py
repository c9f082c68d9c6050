"""A fitted model and everything needed to use it again, kept as text files in one folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import lightgbm as lgb

from likelier.activities.codes import Codebook
from likelier.errors import UsageError
from likelier.features.definitions import FeatureSet
from likelier.model.calibrate import Calibration
from likelier.model.curves import Curves
from likelier.model.sooner import Sooner
from likelier.model.train import Learnt
from likelier.model.versions import outdated
from likelier.phrases import say


@dataclass(frozen=True)
class Model:
    """Reads activities by `codebook`, makes `features` of them, and turns these into probabilities.

    Where it is kept, `calibration` follows what comes true; `as_made` is what it was before that.
    """

    learnt: Learnt
    codebook: Codebook
    features: FeatureSet
    calibration: Calibration
    strength: tuple[float, ...]  # mean absolute contribution of each feature in training
    sooner: tuple[Sooner, ...] = ()  # shorter outcome windows, shortest first
    as_made: Calibration | None = None


def save(model: Model, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _save_learnt(model.learnt, folder)
    (folder / "codebook.json").write_text(json.dumps(model.codebook.to_json()))
    (folder / "features.json").write_text(json.dumps(model.features.to_json()))
    for one in model.sooner:
        _save_learnt(one.learnt, folder, f"-{one.days}d")
    rest = {
        "of_curves": model.learnt.of_curves,
        "calibration": asdict(model.calibration),
        "as_made": asdict(model.as_made) if model.as_made else None,
        "strength": list(model.strength),
        "sooner": [{"days": one.days, "calibration": asdict(one.calibration)} for one in model.sooner],
    }
    (folder / "model.json").write_text(json.dumps(rest))


def load(folder: Path) -> Model:
    """Raises UsageError for a model whose shorter windows lean on the main one, as they did at first."""
    rest = json.loads((folder / "model.json").read_text())
    if outdated([path.name for path in folder.iterdir()]):
        raise UsageError(
            say(
                "This model was made by an earlier version, which had shorter outcome windows another way. "
                "The next run makes a new one."
            )
        )
    of_curves = rest.get("of_curves", 1 / 3)  # as much as models had of them before it was written down
    return Model(
        _load_learnt(folder, of_curves),
        Codebook.from_json(json.loads((folder / "codebook.json").read_text())),
        FeatureSet.from_json(json.loads((folder / "features.json").read_text())),
        Calibration.from_json(rest["calibration"]),
        tuple(rest["strength"]),
        tuple(
            Sooner(
                one["days"],
                _load_learnt(folder, of_curves, f"-{one['days']}d"),
                Calibration.from_json(one["calibration"]),
            )
            for one in rest.get("sooner", ())  # models of before there were several windows have none
        ),
        Calibration.from_json(rest["as_made"]) if rest.get("as_made") else None,
    )


def _save_learnt(learnt: Learnt, folder: Path, of: str = "") -> None:
    for place, trees in enumerate(learnt.forests):
        (folder / f"forest{of}-{place}.txt").write_text(trees.model_to_string())
    (folder / f"curves{of}.json").write_text(json.dumps(learnt.curves.to_json()))


def _load_learnt(folder: Path, of_curves: float, of: str = "") -> Learnt:
    """Load forests and curves; models of before there were several forests have one."""
    forests = sorted(folder.glob(f"forest{of}-[0-9].txt")) or [folder / "trees.txt"]
    return Learnt(
        tuple(lgb.Booster(model_str=path.read_text()) for path in forests),
        Curves.from_json(json.loads((folder / f"curves{of}.json").read_text())),
        of_curves,
    )
