#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dashboards.py: boards, alerts and the table of metrics agree with each other and with the conventions.

    dashboards.py                                  what can be said without a daemon; runs promtool, too
    dashboards.py --metrics METRICS                what a daemon's /metrics, in the file METRICS, says of names and labels
    dashboards.py --live URL METRICS ALERTS        every query is evaluated by the Prometheus at URL, which scraped a daemon whose
                                                   /metrics is in the file METRICS; ALERTS is the folder it read rules from
Prints one result line for each claim.
"""
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse
import urllib.request

PROJECT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "dashboards"
BOARDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
NAME = re.compile(r"\b(?:ikefrag|process)_[a-z_]+")
SUFFIX = re.compile(r"_(?:bucket|sum|count)$")
SELECTOR = re.compile(r"\b((?:ikefrag|process)_[a-z_]+)\b(?:\{([^}]*)\})?|\b(ALERTS)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
COMPARISON = re.compile(r"\s*(?:[><]=?|==|!=)\s*[\d.]+(?![\d.\w])")


def result(name, wrong):
    """`wrong`: texts that say what is wrong; none: ok."""
    wrong = list(wrong)
    print("FAIL %s — %s" % (name, "; ".join(wrong[:8])) if wrong else "ok " + name)


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board):
    """(where, PromQL) of every panel and annotation."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for annotation in board["annotations"]["list"]:
        yield "annotation " + annotation["name"], annotation["expr"]


def rules():
    """(file, name, PromQL) of alert and recording rules; the files are simple enough to be read by lines."""
    for file in ("alerts.yml", "recording-rules.yml"):
        name = None
        for line in (FOLDER / file).read_text(encoding="utf-8").splitlines():
            if match := re.match(r"\s+- (?:alert|record): (\S+)", line):
                name = match[1]
            elif match := re.match(r"\s+expr: '(.*)'$", line):
                yield file, name, match[1].replace("''", "'")


def documented():
    """Names of the metrics in README's table."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `((?:ikefrag|process)_[a-z_]+)`", text, re.M))


def used():
    """(metric, where) of every board and rule."""
    recorded = {name for file, name, _ in rules() if file == "recording-rules.yml"}
    sources = [(expr, "%s: %s" % (stem, where)) for stem, board in BOARDS.items() for where, expr in queries(board)]
    sources += [(expr, "%s: %s" % (file, name)) for file, name, expr in rules()]
    for expr, where in sources:
        for name in recorded:
            expr = expr.replace(name, "")
        for name in NAME.findall(expr):
            yield SUFFIX.sub("", name) if SUFFIX.search(name) else name, where


def all_queries():
    """(where, PromQL) of every board, alert and recording rule."""
    for stem, board in BOARDS.items():
        for where, expr in queries(board):
            yield "%s: %s" % (stem, where), expr
    for file, name, expr in rules():
        yield "%s: %s" % (file, name), expr


def selectors():
    """(where, metric, [(label, operator, value)]); values with variables of a board left out."""
    for where, expr in all_queries():
        for match in SELECTOR.finditer(expr):
            metric, matchers = (match[1], match[2] or "") if match[1] else (match[3], match[4])
            yield where, metric, [found for found in MATCHER.findall(matchers) if "$" not in found[2]]


def findings():
    """{slug: kind} of plugin/diagnosis/catalogue.cpp."""
    text = (PROJECT / "plugin" / "diagnosis" / "catalogue.cpp").read_text(encoding="utf-8")
    return dict(re.findall(r'row\("D\d\d",\s*"(\w+)",\s*(\w+),', text))


def static():
    uids = [board["uid"] for board in BOARDS.values()]
    result("boards: five, each with a uid of its own", [] if len(set(uids)) == 5 else [str(uids)])
    for stem, board in BOARDS.items():
        text = json.dumps(board)
        wrong = []
        if not re.fullmatch(r"ikefrag-[a-z]+", board["uid"]):
            wrong.append("uid " + board["uid"])
        if board["tags"] != ["ike-fragment"]:
            wrong.append("tags")
        variables = [variable["name"] for variable in board["templating"]["list"]]
        if variables[:3] != ["datasource", "job", "instance"]:
            wrong.append("variables %s" % variables)
        if {uid for uid in re.findall(r'"uid": "([^"]*)"', text)} - {"${datasource}", board["uid"]}:
            wrong.append("a data source by uid")
        if len({panel["id"] for panel in board["panels"]}) != len(board["panels"]):
            wrong.append("panel ids twice")
        for panel in panels(board):
            if not panel.get("description"):
                wrong.append("no description: " + panel["title"])
            if not panel["fieldConfig"]["defaults"].get("unit"):
                wrong.append("no unit: " + panel["title"])
        taken = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            if cells & taken or place["x"] + place["w"] > 24:
                wrong.append("overlaps: " + panel["title"])
            taken |= cells
        for where, expr in queries(board):
            if re.search(r"rate\([^)]*\[\d", expr):
                wrong.append("fixed interval: " + where)
            if "ikefrag_" in expr and 'job="$job"' not in expr:
                wrong.append("no job selector: " + where)
        result("board %s: conventions" % stem, wrong)
    names = documented()
    result("metrics: boards and rules use documented ones", sorted({m + " in " + w for m, w in used() if m not in names and m != "process_resident_memory_bytes"}))
    kinds = findings()
    literal = [(where, found[1], found[2]) for where, _, matchers in selectors() for found in matchers if found[0] == "diagnosis"]
    result("labels: every diagnosis in a board or rule is of the catalogue",
           ["%s in %s" % (slug, where) for where, _, value in literal for slug in value.split("|") if slug not in kinds and slug != "none"])
    facts = {slug for slug, kind in kinds.items() if kind == "fact"}
    result("labels: boards that leave facts out leave out all of them",
           ["no facts in the catalogue"] * (not facts)
           + [where for where, operator, value in literal if operator == "!~" and set(value.split("|")) != facts])
    words = (PROJECT / "daemon" / "kernel" / "table_text.hpp").read_text(encoding="utf-8")
    words = set(re.findall(r"^    (\w+),", re.search(r"enum class TableCounter.*?\{(.*?)\};", words, re.S)[1], re.M))
    told = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", re.search(
        r"\| `counter` of .*?\n\n", (FOLDER / "README.md").read_text(encoding="utf-8"), re.S)[0], re.M)[1:])))
    result("labels: each counter of the kernel table is explained in README.md", sorted(words ^ told))
    alerts = [name for file, name, _ in rules() if file == "alerts.yml"]
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    result("alerts: each has its paragraph in README.md", [name for name in alerts if not re.search(r"^#+ %s$" % name, readme, re.M)])
    tests = (FOLDER / "alerts-test.yml").read_text(encoding="utf-8")
    result("alerts: each is tested to fire and to stay silent",
           [name for name in alerts if "name: %s fires" % name not in tests or "name: %s stays silent" % name not in tests])
    for words in (["check", "rules", "alerts.yml", "recording-rules.yml"], ["test", "rules", "alerts-test.yml"], ["check", "config", "prometheus.yml"]):
        try:
            done = subprocess.run(["promtool"] + words, cwd=FOLDER, capture_output=True, text=True, timeout=150)
            result("promtool " + " ".join(words), [] if done.returncode == 0 else [(done.stdout + done.stderr)[-300:].replace("\n", " ")])
        except FileNotFoundError:
            print("skip promtool %s — prometheus is not installed (daemon/install-deps.sh tests)" % " ".join(words))


def ask(url, expr):
    query = urllib.parse.urlencode({"query": expr})
    try:
        with urllib.request.urlopen(url + "/api/v1/query?" + query, timeout=10) as answer:
            return json.load(answer)["data"]["result"], None
    except urllib.error.HTTPError as error:
        return [], json.load(error).get("error", str(error))


def samples(text):
    """{metric: [labels]} of a /metrics."""
    series = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.M):
        series.setdefault(name, []).append(dict(re.findall(r'(\w+)="([^"]*)"', labels)))
    return series


def matches(value, operator, wanted):
    """As Prometheus: regular expressions are anchored."""
    same = re.fullmatch(wanted, value) is not None if "~" in operator else value == wanted
    return same != operator.startswith("!")


def labels(text):
    """Each literal value of a label is one that the daemon exports, and each selector finds a series of it."""
    series = samples(text)
    series["ALERTS"] = [{"alertname": name, "alertstate": "firing"} for file, name, _ in rules() if file == "alerts.yml"]
    unknown, nothing = [], []
    for where, metric, matchers in selectors():
        if metric not in series:
            continue  # told by name
        matchers = [found for found in matchers if found[0] != "job"]
        for label, operator, value in matchers:
            # A list of words is looked at word by word; another expression must match something.
            for part in value.split("|") if re.fullmatch(r"[\w|]+", value) else [value]:
                if not any(matches(one[label], "=~" if "~" in operator else "=", part) for one in series[metric] if label in one):
                    unknown.append('%s{%s="%s"} in %s' % (metric, label, part, where))
        if not any(all(label in one and matches(one[label], operator, value) for label, operator, value in matchers) for one in series[metric]):
            nothing.append("%s in %s" % (metric, where))
    result("labels: every value in a board or rule is exported", unknown)
    result("labels: every selector of a board or rule finds a series", nothing)


def names(text):
    exported = set(re.findall(r"^# TYPE (\w+) ", text, re.M))
    told = documented()
    result("metrics: every exported one is documented", sorted(exported - told))
    result("metrics: every documented one is exported", sorted(told - exported))
    result("metrics: every one in a board or rule is exported", sorted({m + " in " + w for m, w in used() if m not in exported}))
    labels(text)


def anything(expr):
    """The query without its comparisons and without looking back a day: has data whether or not something is wrong."""
    return re.sub(r" offset \w+", "", COMPARISON.sub("", expr))


def live(url, metrics_file):
    names(pathlib.Path(metrics_file).read_text(encoding="utf-8"))
    for stem, board in BOARDS.items():
        wrong = []
        for where, expr in queries(board):
            for name, value in (("$job", "ikefragd"), ("$instance", ".*"), ("$server", ".*"), ("$__rate_interval", "15s"), ("$__range", "1m")):
                expr = expr.replace(name, value)
            found, error = ask(url, expr)
            if error:
                wrong.append("%s: %s" % (where, error))
            elif not found and "ALERTS{" not in expr and not ask(url, anything(expr))[0]:
                wrong.append("%s: no data for %s" % (where, anything(expr)))
        result("board %s: every query is answered" % stem, wrong)
    for file, name, expr in rules():
        _, error = ask(url, expr)
        if not error and not ask(url, anything(expr))[0]:
            error = "no data for " + anything(expr)
        result("%s: %s is answered" % (file, name), [error] if error else [])
    # What the lab did must be seen through the boards' own eyes.
    for what, expr in (("handshakes completed", "sum(ikefrag_handshakes_completed_total) > 0"),
                       ("IKE_AUTH in IP fragments", 'sum(ikefrag_fragmented_messages_total{method="ip"}) > 0'),
                       ("rate of handshakes", "sum(rate(ikefrag_handshakes_started_total[1m])) > 0"),
                       ("the target is up", 'up{job="ikefragd"} == 1'),
                       ("a recording rule", "instance_table:ikefrag_state_table:usage")):
        found, error = ask(url, expr)
        result("prometheus sees: " + what, [error or "no data"] if error or not found else [])


if len(sys.argv) > 1 and sys.argv[1] == "--live":
    live(sys.argv[2], sys.argv[3])
elif len(sys.argv) > 1 and sys.argv[1] == "--metrics":
    names(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
else:
    static()
