"""A believable insights.json: a small shop drawn at random and counted, so all numbers agree."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

BUCKETS = ("low", "medium", "high")
NAMES = {
    "Days since webVisit": ("Days since webVisit", "number"),
    "Count of purchases": ("Count of purchases in 90 days", "number"),
    "Count of productViews": ("Count of productViews in 30 days", "number"),
    "Amount of purchases": ("Amount of purchases in 365 days", "number"),
    "Days between purchases": ("Mean days between purchases", "number"),
    "Active days": ("Active days in 30 days", "number"),
    "Trend of webVisit": ("webVisit, last 30 days against before", "number"),
    "Country": ("placeContext.geo.countryCode", "category"),
    "Device": ("device.type", "category"),
    "Watch purchase": ("Watch purchase in 365 days", "flag"),
    "Hour of the day": ("Usual hour of the day", "number"),
    "Count of checkouts": ("Count of checkouts in 30 days", "number"),
}
LABELS = {"Country": ["GB", "DE", "FR", "other"], "Device": ["phone", "computer", "tablet"]}


def make(
    propensity_type: str = "conversion", *, strength: float = 1.5, profiles: int = 2759, seed: int = 7
) -> dict[str, Any]:
    """Draw the insights; ``strength`` is how far the model separates (0: not at all)."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-1.1, strength, profiles)
    probability = 1 / (1 + np.exp(-log_odds))
    met = rng.random(profiles) < probability
    odds, mean = probability / (1 - probability), probability.mean()
    score = 100 * odds / (odds + mean / (1 - mean))
    bucket = np.where(score < 25, "low", np.where(score < 75, "medium", "high"))
    codes = list(NAMES)
    return {
        "instance": instance(propensity_type),
        "goal_words": f"{'makes' if propensity_type == 'conversion' else 'does not make'} a purchase within 30 days",
        "goal_deed": "make a purchase" if propensity_type == "conversion" else "not make a purchase",
        "population_words": "made a purchase in the last 120 days",
        "propensity_type": propensity_type,
        "as_of": "2011-11-01T00:00:00+00:00",
        "seed": 7,
        "data_versions": {"retail": 3},
        "windows": {
            "judge_cut_off": "2011-10-02T00:00:00+00:00",
            "judge": "later cut-off",
            "training_cut_offs": [moment(2011, 9, 2).isoformat(), moment(2011, 8, 3).isoformat()],
            "outcome_days": 30,
            "lookback_days": 120,
            "history_start": "2009-12-01T00:00:00+00:00",
            "history_days": 700,
            "history_needed_days": 150,
        },
        "counts": {
            "events": 541_909,
            "profiles": 4312,
            "eligible": profiles,
            "scored": profiles,
            "training_rows": 7914,
            "per_cut_off": per_cut_off(profiles, float(met.mean())),
        },
        "metrics": metrics(probability, met),
        "calibrated": "raw",
        "scores": {
            **{name: int((bucket == name).sum()) for name in BUCKETS},
            "histogram": np.histogram(score, bins=50, range=(0, 100))[0].tolist(),
            "mean_probability": float(mean),
            "expected": {
                name: float(probability[bucket == name].mean()) if (bucket == name).any() else None for name in BUCKETS
            },
        },
        "factors": {name: factors(codes, name, rng) for name in BUCKETS},
        "spreads": {code: spread(code, log_odds, bucket, rng) for code in codes},
        "notes": ["3 profiles with more than 10,000 events a day were left out as robots."],
    }


def instance(propensity_type: str) -> dict[str, Any]:
    return {
        "name": "Buy again" if propensity_type == "conversion" else "About to leave",
        "description": "Purchase in the next 30 days among recent buyers",
        "propensity_type": propensity_type,
        "datasets": ["retail"],
        "namespace": "CRMID",
        "goal": {
            "occurs": propensity_type == "conversion",
            "match": "all",
            "events": [
                {"name": "purchase", "conditions": [{"field": "commerce.purchases.value", "operator": "exists"}]}
            ],
            "window_days": 30,
        },
        "schedule": "weekly",
    }


def run(**changes: Any) -> dict[str, Any]:
    return {
        "id": "r-20111101-1",
        "instance": "Buy again",
        "state": "success",
        "started_at": "2011-11-01T06:00:03+00:00",
        "finished_at": "2011-11-01T06:01:12+00:00",
        "scored": 2759,
        "auc": 0.82,
        "error": None,
        "timings": {"read": 4.4, "train": 31.2, "score": 8.9, "insights": 2.1},
    } | changes


def moment(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, tzinfo=dt.UTC)


def per_cut_off(profiles: int, rate: float) -> list[dict[str, Any]]:
    listed = []
    for back in range(5, -1, -1):
        eligible = int(profiles * (1 - 0.04 * back))
        qualifying = None if back == 0 else int(eligible * rate * (1 + 0.02 * back))
        listed.append(
            {
                "cut_off": (moment(2011, 11, 1) - dt.timedelta(days=30 * back)).isoformat(),
                "role": "score" if back == 0 else "judge" if back == 1 else "train",
                "eligible": eligible,
                "qualifying": qualifying,
                "base_rate": None if qualifying is None else qualifying / eligible,
            }
        )
    return listed


def metrics(probability: np.ndarray, met: np.ndarray) -> dict[str, Any]:
    order = np.argsort(-probability)
    sorted_met, count, base = met[order], len(met), float(met.mean())
    ranks = np.empty(count)
    ranks[np.argsort(probability)] = np.arange(1, count + 1)
    positives = int(met.sum())
    auc = (ranks[met].sum() - positives * (positives + 1) / 2) / (positives * (count - positives))
    precision = np.cumsum(sorted_met) / np.arange(1, count + 1)
    return {
        "auc": {"value": float(auc), "low": float(auc - 0.017), "high": float(auc + 0.016)},
        "pr_auc": {"value": float(precision[sorted_met].mean()), "low": 0.55, "high": 0.63},
        "brier": float(((probability - met) ** 2).mean()),
        "calibration_error": 0.013,
        "base_rate": base,
        "deciles": [
            decile(number, tenth, base) for number, tenth in enumerate(np.array_split(sorted_met, 10), start=1)
        ],
        "gains": [
            {"fraction": part / 100, "reached": float(sorted_met[: round(count * part / 100)].sum() / positives)}
            for part in range(101)
        ],
        "calibration": [calibration(group, probability, met) for group in np.array_split(order[::-1], 10)],
    }


def decile(number: int, met: np.ndarray, base: float) -> dict[str, Any]:
    rate = float(met.mean())
    error = 1.96 * np.sqrt(rate * (1 - rate) / len(met)) / base
    return {
        "decile": number,
        "profiles": len(met),
        "qualifying": int(met.sum()),
        "rate": rate,
        "lift": rate / base,
        "lift_low": max(0.0, rate / base - error),
        "lift_high": rate / base + error,
    }


def calibration(group: np.ndarray, probability: np.ndarray, met: np.ndarray) -> dict[str, Any]:
    rate = float(met[group].mean())
    error = 1.96 * float(np.sqrt(rate * (1 - rate) / len(group)))
    return {
        "mean_probability": float(probability[group].mean()),
        "rate": rate,
        "low": max(0.0, rate - error),
        "high": min(1.0, rate + error),
        "profiles": len(group),
    }


def factors(codes: list[str], bucket: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    chosen = list(rng.permutation(len(codes))[:10]) if bucket != "high" else range(10)
    push = {"low": -1, "medium": 0.2, "high": 1}[bucket]
    return [
        {
            "code": codes[which],
            "importance": round(0.3 * 0.78**place, 4),
            "mean_contribution": round(push * 0.9 * 0.75**place * (-1 if place % 4 == 3 else 1), 4),
            "direction": "mixed" if bucket == "medium" else "raises" if (push > 0) != (place % 4 == 3) else "lowers",
        }
        for place, which in enumerate(chosen)
    ]


def spread(code: str, log_odds: np.ndarray, bucket: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    feature, kind = NAMES[code]
    noisy = log_odds + rng.normal(0, 1, len(log_odds))
    missing = rng.random(len(noisy)) < (0.1 if code == "Days between purchases" else 0)
    result: dict[str, Any] = {"feature": feature, "kind": kind}
    if kind == "number":
        values = np.round(np.exp(1.6 + (-0.6 if "Days since" in code else 0.6) * noisy), 0)
        edges = np.unique(np.round(np.quantile(values, np.linspace(0, 1, 11))))
        places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
        result["edges"], bins = edges.tolist(), len(edges) - 1
    else:
        labels = LABELS.get(code, ["no", "yes"])
        places = np.clip((noisy + 3) / 6 * len(labels), 0, len(labels) - 1).astype(int)
        result["labels"], bins = labels, len(labels)
    for name in BUCKETS:
        of = bucket == name
        counted = np.bincount(places[of & ~missing], minlength=bins)
        result[name] = (counted / max(1, of.sum())).tolist()
    result["missing"] = {
        name: float(missing[bucket == name].mean()) if (bucket == name).any() else 0.0 for name in BUCKETS
    }
    return result
