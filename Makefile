# make demo    run the infection scenario
# make test    run the fast tests
# make slow    run the slow tests
# make check   lint, format, types, import layers
# make lock    renew requirements/*.lock; with UPGRADE=--upgrade, to the newest versions
#
# All but lock set up .venv first, when it is missing or a lock has changed.
# PYTHON=... chooses the interpreter.

PYTHON ?= python3

# Megabytes of wheels behind each lock (measured on Linux, x86-64).
MB_demo := 180
MB_test := 210

# A stamp in .venv names the lock that was installed completely. test.lock holds
# everything in demo.lock, so its stamp serves both.
SERVED_BY_demo := demo test
SERVED_BY_test := test
NAME_STAMPS := import hashlib, pathlib, sys; \
    digest = lambda p: hashlib.sha256(pathlib.Path(p).read_bytes()).hexdigest()[:12]; \
    print(*(f".venv/.stamp-{k}-" + digest(f"requirements/{k}.lock") for k in sys.argv[1:]))

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := demo
.PHONY: demo test slow check lock python venv-demo venv-test
.NOTPARALLEL: # one .venv for all targets

demo: venv-demo
	@.venv/bin/polycrine run infection

test: venv-test
	@.venv/bin/python -m pytest

slow: venv-test
	@.venv/bin/python -m pytest -m slow

check: venv-test
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    found=$$("$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); \
	    echo "polycrine needs Python 3.11 or newer and $(PYTHON) is $${found:-missing}:" \
	        "please install Python 3.11 or newer, or name one with PYTHON=..." >&2; \
	    exit 1; }

venv-demo venv-test: venv-%: python
	@stamps=$$("$(PYTHON)" -c '$(NAME_STAMPS)' $(SERVED_BY_$*)) || exit 1; \
	for stamp in $$stamps; do [ -x .venv/bin/python ] && [ -f $$stamp ] && exit 0; done; \
	"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments: please install its venv module" \
	        "(on Debian and Ubuntu: apt install python3-venv)." >&2; \
	    exit 1; }; \
	echo "Setting up .venv (about $(MB_$*) MB of wheels) ..."; \
	rm -f .venv/.stamp-*; \
	log=$$({ \
	    { .venv/bin/python -m pip --version || "$(PYTHON)" -m venv --clear .venv; } && \
	    .venv/bin/python -m pip install --quiet --require-hashes --only-binary=:all: \
	        -r requirements/$*.lock && \
	    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .; \
	} 2>&1) || { printf '%s\n' "$$log" >&2; exit 1; }; \
	touch $${stamps%% *}

COMPILE := pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
    --only-binary :all: --generate-hashes --no-annotate --no-header

lock: python
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	"$(PYTHON)" -m venv "$$tmp" && "$$tmp/bin/python" -m pip install --quiet uv && \
	"$$tmp/bin/uv" $(COMPILE) $(UPGRADE) pyproject.toml requirements/build.in \
	    --output-file requirements/demo.lock && \
	"$$tmp/bin/uv" $(COMPILE) $(UPGRADE) pyproject.toml requirements/build.in --extra dev \
	    --constraints requirements/demo.lock --output-file requirements/test.lock
