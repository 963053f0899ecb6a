"""A report, which is what `compare --format json` prints, as text and as Markdown."""

import re

from comparison.rows import COUNTS, Failed, spread

BEGIN = "<!-- benchmarks/compare writes from here -->"
END = "<!-- to here -->"


def number(value):
    """Four digits, without an exponent."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if value >= 0.001 else f"{value:.2e}"


def times(found):
    return f"{found['median']:.2f}x ({found['min']:.2f} to {found['max']:.2f})"


def percent(found):
    return f"{found['median']:.0%} ({found['min']:.0%} to {found['max']:.0%})"


def peer_cells(row, side):
    """The peer's figure and the ratio to it."""
    found = row.get(side)
    if not found:
        return ["", ""]
    if found["ratio"] is None:
        return [number(found["value"]["median"]), "equal" if found["equal"] else "DIFFERS"]
    return [number(found["value"]["median"]), times(found["ratio"])]


def target_cells(entry):
    target = entry.get("target")
    return [target["text"], target["status"]] if target else ["", ""]


# --- tables: a title, the heads of the columns, the cells ---


def comparison_table(report):
    compiled = any("compiled" in row for row in report["rows"])
    heads = ["workload", "metric", "unit", "adjoint", "PyTorch", "ratio"]
    if compiled:
        heads += ["compiled", "ratio to compiled"]
    lines = []
    for row in report["rows"]:
        unit = "" if row["unit"] in COUNTS else row["unit"]
        line = [row["name"], row["metric"], unit, number(row["adjoint"]["median"])]
        line += peer_cells(row, "pytorch")
        if compiled:
            line += peer_cells(row, "compiled")
        lines.append(line + target_cells(row))
    return "adjoint against PyTorch", heads + ["target", ""], lines


def ceilings_table(report):
    heads = ["workload", "metric", "adjoint", "unit", "of", "share", "PyTorch's share"]
    heads += ["target", ""]
    lines = []
    for entry in report["ceilings"]["rows"]:
        peer = entry.get("pytorch")
        line = [entry["name"], entry["metric"], number(entry["rate"]["median"]), entry["unit"]]
        line += [f"{entry['ceiling']} {number(entry['ceiling_value'])}"]
        line += [percent(entry["share"]), percent(peer["share"]) if peer else ""]
        lines.append(line + target_cells(entry))
    return "Shares of the machine's ceilings", heads, lines


def limits_table(report):
    lines = []
    for entry in report["ceilings"]["limits"]:
        value = entry["value"]
        cells = [entry["name"], entry["metric"], number(value["median"]), entry["unit"]]
        lines.append(cells + [f"{number(value['min'])} to {number(value['max'])}"])
    return "The ceilings", ["what", "metric", "median", "unit", "rounds"], lines


def micro_table(report):
    lines = []
    for program in report["micro"]:
        for line in program["lines"]:
            rate, unit = line.get("rate"), line.get("unit", "")
            if unit in ("bytes/s", "FLOP/s"):
                rate, unit = rate / 1e9, "GB/s" if unit == "bytes/s" else "GFLOP/s"
            if unit == "items_per_second":
                unit = "items/s"
            shown = number(rate) if rate else ""
            lines.append([program["program"], line["name"], number(line["ns"]), shown, unit])
    return "Micro benchmarks of adjoint", ["program", "benchmark", "ns", "rate", "unit"], lines


def tables(report):
    found = [comparison_table(report)]
    if report.get("ceilings"):
        found += [ceilings_table(report), limits_table(report)]
    if report.get("micro"):
        found.append(micro_table(report))
    return [table for table in found if table[2]]


# --- what is said beside them ---


def machine(report):
    e = report["environment"]
    pieces = f", in {e['pieces']} pieces put together with --from" if "pieces" in e else ""
    busy = f"; load average before it {e['load']:.1f}" if "load" in e else ""
    # The modes are permissions that only AMX makes use of.
    plain = e["precision"] == "highest" or e["isa"] == "amx"
    fallback = "" if plain else f", which is `highest` on {e['isa']}"
    return [
        ("CPU", f"{e['cpu']}, {e['processors']} processors; {e['system']}"),
        ("adjoint", f"{e['commit']}, {e['isa']}, f32 products at `{e['precision']}`{fallback}"),
        ("compiler", f"{e['compiler']}, {e['build_type'] or 'no build type'}"),
        ("PyTorch", f"{e['pytorch']} ({e['capability']}), Python {e['python']}; {e['peer_note']}"),
        ("run", f"{e['threads']} threads, {e['rounds']} rounds, {e['date']}{pieces}{busy}"),
        ("command", f"`{e['command']}`"),
    ]


def notes(report):
    lines = ["Medians over the rounds; the ratio is the median of the rounds' own, with the least "]
    lines[0] += "and the greatest. Above 1, adjoint is faster, or needs less memory."
    if report.get("ceilings"):
        lines.append("Shares are of the best that the ceiling reached in any round.")
    if any("compiled" in row for row in report["rows"]):
        lines.append("compiled: PyTorch's torch.compile, for the groups that heed --compile.")
    for entry in report["unmeasured"]:
        lines.append(f"Not measured: {entry['row']} {entry['target']}: {entry['why']}.")
    for entry in report["left_out"]:
        lines.append(f"Left out: {entry['group']}: {entry['why']}.")
    if report["alone"]:
        shown = ", ".join(f"{entry['row']} ({entry['only']})" for entry in report["alone"])
        lines.append(f"Rows that one side alone has: {shown}.")
    return lines


def counted(report):
    """What the shares assume, each derivation once."""
    by_how = {}
    for entry in (report.get("ceilings") or {"rows": []})["rows"]:
        if entry["unit"] == "GB/s" or not entry["counted"].startswith("2 x"):
            by_how.setdefault(entry["counted"], []).append(entry["name"])
    return [f"{', '.join(dict.fromkeys(names))}: {how}." for how, names in by_how.items()]


def summary(report):
    statuses = [row["target"]["status"] for row in report["rows"] if "target" in row]
    for entry in (report.get("ceilings") or {"rows": []})["rows"]:
        if "target" in entry:
            statuses.append(entry["target"]["status"])
    met = statuses.count("met")
    short, missing = len(statuses) - met, len(report["unmeasured"])
    return f"Targets: {met} met, {short} short, {missing} not measured."


def merged(reports):
    """Reports of a run in pieces, as one: each piece had its own groups, all else alike."""
    first = reports[0]
    own = ("date", "command", "load")
    alike = [{k: v for k, v in r["environment"].items() if k not in own} for r in reports]
    for other in alike:
        other["command"] = other.pop("whole_command")
        different = [key for key in other if other[key] != alike[0].get(key)]
        if different:
            raise Failed(f"the reports differ in {', '.join(different)}: not pieces of one run")
    groups = [group for r in reports for group in {row["group"] for row in r["rows"]}]
    if len(groups) != len(set(groups)):
        raise Failed("the reports have groups in common: not pieces of one run")
    whole = {"environment": dict(first["environment"], command=alike[0]["command"])}
    whole["environment"]["pieces"] = len(reports)
    for part in ("rows", "unmeasured", "left_out", "alone"):
        whole[part] = [entry for r in reports for entry in r[part]]
    ceilings = [r["ceilings"] for r in reports if r.get("ceilings")]
    if ceilings:
        limits = {}
        for entry in (entry for c in ceilings for entry in c["limits"]):
            limits.setdefault((entry["name"], entry["metric"]), []).append(entry)
        whole["ceilings"] = {
            "rows": [entry for c in ceilings for entry in c["rows"]],
            "limits": [
                dict(found[0], value=spread([v for e in found for v in e["value"]["rounds"]]))
                for found in limits.values()
            ],
        }
    micro = [program for r in reports for program in r.get("micro", [])]
    if micro:
        whole["micro"] = micro
    return whole


# --- the formats ---


def as_text(report):
    facts = [f"{name + ':':<10}{value}".replace("`", "") for name, value in machine(report)]
    parts = ["\n".join(facts)]
    for title, heads, lines in tables(report):
        widths = [max(map(len, column)) for column in zip(heads, *lines)]
        rendered = [title]
        for line in [heads, *lines]:
            cells = (cell.ljust(width) for cell, width in zip(line, widths))
            rendered.append("  ".join(cells).rstrip())
        parts.append("\n".join(rendered))
    said = notes(report) + counted(report) + [summary(report)]
    return "\n\n".join(parts + ["\n".join(said)]) + "\n"


def as_markdown(report):
    parts = ["\n".join(f"- {name}: {value}" for name, value in machine(report))]
    parts.append(summary(report))
    for title, heads, lines in tables(report):
        rows = [heads, ["---"] * len(heads)] + lines
        table = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
        parts.append(f"### {title}\n\n{table}")
        if title == comparison_table(report)[0]:
            parts.append("\n".join(f"- {line}" for line in notes(report)))
        if report.get("ceilings") and title == ceilings_table(report)[0] and counted(report):
            parts.append("Counted:\n\n" + "\n".join(f"- {line}" for line in counted(report)))
    return "\n\n".join(parts) + "\n"


def replaced(text, section):
    """A README's text with what stands between the two marks replaced."""
    pattern = re.compile(re.escape(BEGIN) + r"\n.*?" + re.escape(END), re.DOTALL)
    found = pattern.findall(text)
    if len(found) != 1:
        raise Failed(f"the README has {len(found)} sections between '{BEGIN}' and '{END}', not one")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{section}\n{END}", text)
