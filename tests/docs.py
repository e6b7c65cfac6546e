#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what README.md and docs/ say.    docs.py BUILD SOURCE CC     exit 77: the data set is not here

Every fenced block has a treatment by its language; one without fails:
  sh    its lines run in order in a scratch folder that looks like the source tree with a build/
  c     with a main(): built against the library and run; it prints what its comment `prints ...` says.
        Otherwise a fragment: it is inserted into a copy of the tree where the marker says, and the marker's
        files must still compile
  text  a drawing or a listing: nothing to run
A marker, an HTML comment right above the fence, shortens or explains. Each of its lines is one of
  COMMAND + ARGUMENTS     lines that begin with COMMAND get the arguments
  COMMAND = OTHER         OTHER runs in place of such lines
  COMMAND - REASON        such lines are not run
  into FILE before TEXT   (fragments) the block goes before the first line of FILE that has TEXT
  new FILE                (fragments) the block is a file of its own
  compile FLAGS FILES     (fragments) what shows it, once all fragments of the document are in
and must fit at least one line of its block. Commands in running text are not run: the names of tests,
subcommands, options and files in them must exist.
"""
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

BUILD, SOURCE, CC = (sys.argv[1:] + [None] * 3)[:3]
FENCE = re.compile(r"^( *)```(\w*) *\n(.*?)^\1```", re.M | re.S)
MARKER = re.compile(r"<!-- test:\s*(.*?)\s*-->\s*\Z", re.S)
# In the way of commands that build, test or install: they find what is there, and no more happens.
SHIMS = {
    "ninja": 'exec "{ninja}" -n "$@"',
    "apt-get": 'echo "a test installs nothing" >&2; exit 1',
    "dpkg-query": "printf ii",
    "meson": '''case $1 in
setup) [ -f "${{@: -1}}/build.ninja" ] ;;
test)
    "{meson}" "$@" --no-rebuild --list >tests.txt || exit 1
    grep -q : tests.txt || {{ echo "no such tests: $*" >&2; exit 1; }}
    while [ $# -gt 0 ]; do
        case $1 in
        -C|--suite) shift ;;
        -*|test) ;;
        *) grep -q " / $1\\$" tests.txt || {{ echo "no test '$1'" >&2; exit 1; }} ;;
        esac
        shift
    done ;;
*) echo "meson $1: not known to tests/docs.py" >&2; exit 1 ;;
esac''',
}
problems = []


def problem(where, text):
    problems.append(where)
    print("FAILED %s: %s" % (where, text), flush=True)


def run(command, where, cwd, env, show=True):
    done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        problem(where, "%s\nended with %d\n%s" % (command if show else command[0], done.returncode, done.stdout[-2000:]))
    return done.stdout


class Scratch:
    """A folder with the tree's names in it, a build/, and the shims first in PATH."""

    def __init__(self, folder):
        self.tree, shims, self.overlay = folder + "/tree", folder + "/shims", folder + "/overlay"
        self.compiled = []
        os.makedirs(self.tree)
        os.makedirs(shims)
        os.makedirs(folder + "/cache")
        for name in os.listdir(SOURCE):
            if not name.startswith(("build", "runs", ".")):
                os.symlink(os.path.join(SOURCE, name), os.path.join(self.tree, name))
        os.symlink(BUILD, self.tree + "/build")
        tools = {name: shutil.which(name) or "" for name in SHIMS}
        for name, body in SHIMS.items():
            with open(os.path.join(shims, name), "w") as f:
                f.write("#!/bin/bash\n" + body.format(**tools) + "\n")
            os.chmod(os.path.join(shims, name), 0o755)
        self.env = dict(os.environ, PATH=shims + ":" + os.environ["PATH"], XDG_CACHE_HOME=folder + "/cache")

    def copy(self):
        """A copy of the sources for fragments to be inserted into."""
        if not os.path.isdir(self.overlay):
            for name in ("include", "src", "kernels", "tests"):
                shutil.copytree(os.path.join(SOURCE, name), os.path.join(self.overlay, name))
        return self.overlay


def shell_lines(text, rules, where):
    """The block's lines as the rules of its marker have them."""
    used, out = set(), []
    for line in text.splitlines():
        command = line.strip()
        for i, (kind, prefix, rest) in enumerate(rules):
            if not command.startswith(prefix):
                continue
            used.add(i)
            if kind == "+":
                command = re.split(r"\s+#", command)[0] + " " + rest
            elif kind == "=":
                command = rest
            else:
                print("not run: %s (%s)" % (prefix, rest), flush=True)
                command = ""
        out.append(command)
    for i, (_, prefix, _) in enumerate(rules):
        if i not in used:
            problem(where, "its marker speaks of '%s', which is not in the block" % prefix)
    return "\n".join(out)


def parse_rules(marker, where):
    rules = []
    for line in filter(None, map(str.strip, marker.splitlines())):
        found = re.match(r"(.+?) ([+=-]) (.+)$", line)
        if found:
            rules.append((found.group(2), found.group(1), found.group(3)))
        else:
            problem(where, "cannot read its marker's line '%s'" % line)
    return rules


def run_program(scratch, text, where):
    want = re.search(r"prints (.+)", text)
    if not want:
        return problem(where, "a program needs a comment that says what it prints")
    with open(scratch.tree + "/program.c", "w") as f:
        f.write(text)
    run([CC, "-std=c11", "-Wall", "-Wextra", "-Werror", "-I" + SOURCE + "/include", "program.c", "-o", "program",
         "-L" + BUILD + "/src", "-Wl,-rpath," + BUILD + "/src", "-lweir"], where, scratch.tree, scratch.env)
    if os.path.exists(scratch.tree + "/program"):
        out = run(["./program"], where, scratch.tree, scratch.env)
        if want.group(1).strip() not in out:
            problem(where, "it printed\n%s" % out)


def insert(scratch, text, marker, where):
    root, n = scratch.copy(), len(scratch.compiled)
    for line in filter(None, map(str.strip, marker.splitlines())):
        into = re.match(r"into (\S+) before (.+)$", line)
        if into:
            path = os.path.join(root, into.group(1))
            with open(path) as f:
                lines = f.read().split("\n")
            at = [i for i, have in enumerate(lines) if into.group(2) in have]
            if not at:
                return problem(where, "%s has no line with '%s'" % into.groups())
            lines[at[0]:at[0]] = text.rstrip("\n").split("\n")
            with open(path, "w") as f:
                f.write("\n".join(lines))
        elif line.startswith("new "):
            path = os.path.join(root, line.split()[1])
            if os.path.exists(path):
                return problem(where, "%s is there already" % line.split()[1])
            with open(path, "w") as f:
                f.write(text)
        elif line.startswith("compile "):
            scratch.compiled.append((line.split()[1:], where))
        else:
            problem(where, "cannot read its marker's line '%s'" % line)
    if len(scratch.compiled) == n:
        problem(where, "a fragment needs a marker with 'compile'")


def compile_fragments(scratch):
    for words, where in scratch.compiled:
        run([CC, "-std=gnu11", "-D_GNU_SOURCE", "-DWEIR_NO_SITES", "-Wall", "-Werror", "-Wno-unused",
             "-Wno-unknown-pragmas", "-fsyntax-only", "-Iinclude", "-Isrc", "-Ikernels"] + words, where, scratch.overlay, scratch.env)
    scratch.compiled = []


def check_block(scratch, language, text, marker, where):
    if language == "sh":
        script = shell_lines(text, parse_rules(marker, where), where)
        print(where + "\n" + script, flush=True)
        run(["bash", "-e", "-c", script], where, scratch.tree, scratch.env, show=False)
    elif language == "c" and "int main(" in text:
        run_program(scratch, text, where)
    elif language == "c":
        insert(scratch, text, marker, where)
    elif language != "text":
        problem(where, "a block in '%s': neither sh, c nor text, so nothing is done with it" % language)


def weir_command(scratch, words, where):
    """`weir SUB --option ...` in running text: the subcommand and its options are in its help."""
    if not words or words[0].startswith("-"):
        return
    text = run([BUILD + "/tools/weir", words[0], "--help"], where, scratch.tree, scratch.env)
    for word in words[1:]:
        if word.startswith("-") and not re.search(r"(^|[\s\[])%s\b" % re.escape(word), text):
            problem(where, "`weir %s` has no option %s" % (words[0], word))


def check_span(scratch, span, where):
    words = shlex.split(span.replace("'", ""))
    if not words:
        return
    if words[0] in ("weir", "build/tools/weir"):
        weir_command(scratch, words[1:], where)
    elif words[:2] == ["meson", "test"]:
        run(["meson"] + words[1:], where, scratch.tree, scratch.env)
    elif re.match(r"(src|tests|tools|docs|include|kernels|examples|recipes)/", words[0]) and "NAME" not in span:
        if not glob.glob(os.path.join(SOURCE, words[0])):
            problem(where, "there is no %s" % words[0])


def check_document(scratch, path):
    name = os.path.relpath(path, SOURCE)
    with open(path) as f:
        text = f.read()
    end = 0
    for fence in FENCE.finditer(text):
        where = "%s:%d" % (name, text.count("\n", 0, fence.start()) + 1)
        marker = MARKER.search(text[end:fence.start()])
        body = re.sub("^" + fence.group(1), "", fence.group(3), flags=re.M)
        check_block(scratch, fence.group(2), body, marker.group(1) if marker else "", where)
        end = fence.end()
    compile_fragments(scratch)
    if text.count("```") != 2 * len(FENCE.findall(text)):
        problem(name, "a fence is not closed, or not where it was opened")
    prose = re.sub(r"<!--.*?-->", "", FENCE.sub("", text), flags=re.S)
    for span in re.findall(r"`([^`]+)`", prose):
        check_span(scratch, " ".join(span.split()), name)
    for link in re.findall(r"\]\(([^)#]+)", prose):
        if "://" not in link and not os.path.exists(os.path.join(os.path.dirname(path), link)):
            problem(name, "a link to %s, which is not there" % link)


def main():
    if not glob.glob("/usr/share/**/train-images-idx3-ubyte*", recursive=True):
        print("the data set fashion-mnist is not here")
        sys.exit(77)
    folder = tempfile.mkdtemp()
    try:
        scratch = Scratch(folder)
        for path in [SOURCE + "/README.md"] + sorted(glob.glob(SOURCE + "/docs/**/*.md", recursive=True)):
            check_document(scratch, path)
    finally:
        shutil.rmtree(folder)
    print("%d problems" % len(problems))
    sys.exit(1 if problems else 0)


main()
