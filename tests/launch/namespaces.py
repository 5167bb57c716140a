"""A stand-in for kubectl with contexts and namespaces, in which objects are files that can be counted."""

import sys
from pathlib import Path

import pytest
import yaml

SERVER = """
import base64, json, os, sys

def merged(there, said):
    if not isinstance(there, dict) or not isinstance(said, dict):
        return said
    return {**there, **{key: merged(there.get(key), value) for key, value in said.items()}}

def kept(part):
    for key, value in part.pop("stringData", {}).items():
        part.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
    asked = part.get("spec", {}).get("resources", {}).get("requests", {})
    if part["kind"] == "PersistentVolumeClaim" and asked.get("storage") == "2048Mi":
        asked["storage"] = "2Gi"
    return part

def read(text):
    try:
        return [json.loads(text)]
    except ValueError:
        sys.path.append(os.environ["SITE"])
        import yaml
        return list(yaml.load_all(text, yaml.CSafeLoader))

parts = read(open(sys.argv[1]).read())
there = json.load(open(sys.argv[2])) if sys.argv[2] else {}
for part in [one for part in parts for one in part.get("items", [part])]:
    print(part["kind"].lower() + "/" + part["metadata"]["name"], json.dumps(kept(merged(there, part))))
"""
"""What becomes of a file's objects; it starts without the packages of this Python, which takes half the time."""
KUBECTL = r"""#!/bin/bash
printf '%s\n' "kubectl $*" >> "$TOLD"
context=$(cat "$HERE/context") namespace=$(cat "$HERE/namespace") words=() found=()
for word; do case $word in
    --context=*) context=${word#*=} ;;
    --namespace=*) namespace=${word#*=} ;;
    --request-timeout=*|--all-namespaces|--ignore-not-found|--overwrite) ;;
    *) words+=("$word") ;;
esac; done
set -- "${words[@]}"
[ ! -e "$HERE/deny" ] || while read -r no; do case "$*" in "$no"*|"auth can-i $no"*)
    echo "Error from server (Forbidden): User \"me\" cannot $no" >&2; exit 1 ;; esac; done < "$HERE/deny"
there=$HERE/objects/$context here=$HERE/objects/$context/$namespace
mkdir -p "$here" "$there/-"

file() {
    kind=${1%%/*} name=${1##*/}
    case $kind in nodepool*) echo "$there/-/nodepool_$name" ;; *) echo "$here/${kind%%.*}_$name" ;; esac
}

denied() {  # which object may not be got; with a slash in the file, it may, and the server fails
    [ -e "$HERE/deny" ] && grep -qx "get ${1%%/*}/\?" "$HERE/deny" || return
    echo "Error from server (Forbidden): User \"me\" cannot get $1" >&2
}

of_file() {  # kind and name of each object of a file, and the object as the server keeps it, over what is there of it
    "$PYTHON" -I -S "$HERE/bin/server.py" "$1" "${2:-}"
}

items() {  # of what kubectl says in JSON
    echo '{"items": ['; paste -sd, -; echo ']}'
}

case "$*" in
kustomize*)
    cd "$2/../.." && pools=overlays/${2##*/}/pools.yaml
    for part in base/*.yaml "$pools"; do case $part in
        *kustomization.yaml) ;;
        *) [ ! -e "$part" ] || { echo ---; cat "$part"; } ;;
    esac; done ;;
"config current-context") echo "$context" ;;
"config get-contexts"*) cat "$HERE/contexts" ;;
"config view"*)
    grep -qx "$context" "$HERE/contexts" || { echo "error: context \"$context\" does not exist" >&2; exit 1; }
    case $* in
    *cluster.server*) cat "$HERE/server-$context" "$HERE/server" 2> /dev/null | head -n1 ;;
    *) cat "$HERE/namespace" ;;
    esac ;;
"auth can-i"*) echo yes ;;
"version -o json") echo '{"clientVersion": {}, "serverVersion": {"gitVersion": "v1.32.4-eks-a737599"}}' ;;
"get --raw=/api"|wait*) ;;
"get rayclusters.ray.io"*)
    [ ! -e "$HERE/forbidden" ] || { echo 'User "me" cannot list resource "rayclusters"' >&2; exit 1; }
    for each in "$there"/*/raycluster_*; do
        each=${each#"$there"/}
        [ ! -e "$there/$each" ] || echo "${each/raycluster_/}"
    done ;;
"get secret/evonas-auth -o jsonpath"*) head -n1 "$(file secret/evonas-auth)" | tr -d '\n'
    [ ! -e "$HERE/since" ] || cat "$HERE/since" ;;
"get -f - "*|"apply --dry-run=server "*)
    cat > "$HERE/part" && read -r each _ < <(of_file "$HERE/part")
    there=$(file "$each")
    case $1 in
    get) [ ! -e "$there" ] || cat "$there" ;;
    *) of_file "$HERE/part" "$there" | cut -d' ' -f2- ;;
    esac ;;
"get pods"*!=evonas*) ;;
"get "*raycluster*|"delete "*raycluster*) [ ! -e "$HERE/no-kuberay" ] || {
    echo "error: the server doesn't have a resource type \"raycluster\"" >&2; exit 1; } ;;&
"get pods"*jsonpath*) [ -e "$HERE/no-pods" ] || [ ! -e "$(file raycluster/evonas)" ] || echo headgroup Running ;;
"get pods"*) [ ! -e "$(file raycluster/evonas)" ] && [ ! -e "$HERE/pods-stay" ] || echo pod/evonas-head ;;
"get nodepools.karpenter.sh "*)
    shift 2
    for each; do [ ! -e "$(file "nodepool/$each")" ] || cat "$(file "nodepool/$each")"; done | items ;;
"get rayjobs.ray.io"*) cat "$here"/rayjob_* 2> /dev/null | items ;;
"get namespace/"*) [ -e "$HERE/no-namespace" ] || echo "$2" ;;
"get secret/"*" serviceaccount/"*)
    for each in "$2" "$3"; do
        if denied "$each"; then code=1; elif [ -e "$(file "$each")" ]; then
            echo "$each $(grep -q part-of "$(file "$each")" && echo evonas)"
        fi
    done
    exit "${code:-0}" ;;
"get "*/*" "*/*" -o json")
    shift
    for each; do case $each in */*)
        if denied "$each"; then code=1; elif [ -e "$(file "$each")" ]; then found+=("$(file "$each")"); fi ;;
    esac; done
    cat /dev/null "${found[@]}" | items
    exit "${code:-0}" ;;
"get "*/*" -o json") [ ! -e "$(file "$2")" ] || cat "$(file "$2")" ;;
"get "*" -o name")
    shift
    for each; do
        if denied "$each"; then code=1; elif [ -e "$(file "$each")" ]; then echo "$each"; fi
    done
    exit "${code:-0}" ;;
"get "*) [ -e "$(file "$2")" ] ;;
"create secret"*) base64 -w0 "${5#--from-file=auth_token=}" > "$(file "secret/$4")"; echo >> "$(file "secret/$4")" ;;
"create serviceaccount"*) echo > "$(file "serviceaccount/$3")" ;;
label*) echo part-of >> "$(file "$2")" ;;
"apply -f"*) of_file "$3" | while read -r each object; do echo "$object" > "$(file "$each")"; done ;;
"delete nodepools.karpenter.sh"*) shift 2; for each; do rm -f "$(file "nodepool/$each")"; done ;;
delete*) shift; for each; do rm -f "$(file "$each")"; done ;;
esac
"""


class Namespaces:
    """What there is, and to which context and namespace kubectl is set."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.set("a")

    def set(self, namespace: str, context: str = "ctx", contexts: str = "ctx") -> None:
        """As `kubectl config set-context --current --namespace` does."""
        for name, text in (("namespace", namespace), ("context", context), ("contexts", contexts)):
            (self._folder / name).write_text(text)

    def objects(self) -> list[str]:
        """`CONTEXT/NAMESPACE/KIND_NAME` of all."""
        root = self._folder / "objects"
        return sorted(str(path.relative_to(root)) for path in root.glob("*/*/*"))

    def told(self) -> str:
        """The lines of kubectl so far."""
        return (self._folder / "told").read_text()

    def made_at(self, when: str) -> None:
        """Since when the secrets are there, `2026-11-29T02:00:00Z`."""
        (self._folder / "since").write_text(f" {when}")


def empty(folder: Path, patch: pytest.MonkeyPatch) -> Namespaces:
    """Kubernetes, with nothing in it."""
    (folder / "bin").mkdir()
    (folder / "bin/kubectl").write_text(KUBECTL)
    (folder / "bin/kubectl").chmod(0o755)
    (folder / "bin/server.py").write_text(SERVER)
    patch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    patch.setenv("TOLD", str(folder / "told"))
    patch.setenv("HERE", str(folder))
    patch.setenv("PYTHON", sys.executable)
    patch.setenv("SITE", str(Path(yaml.__file__).parents[1]))
    return Namespaces(folder)


@pytest.fixture
def namespaces(user: Path, monkeypatch: pytest.MonkeyPatch) -> Namespaces:
    """The same, of a user."""
    return empty(user, monkeypatch)
