PYTHON := .venv/bin/python
BENCHMARKS := physics environment training exchange scaling peers inference

.PHONY: install train blind export play evaluate test test-all lint bench

install: .venv/installed

.venv/installed: requirements.txt requirements-seed.txt
	python3 -m venv .venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-seed.txt
	touch $@

train: install
	$(PYTHON) train.py --task anymal_rough

blind: install
	$(PYTHON) train.py --stage student --teacher pretrained/teacher.pt --student.network.no-extero

export: install
	$(PYTHON) export.py --checkpoint pretrained/student.pt --out pretrained

play: install
	$(PYTHON) play.py --checkpoint

evaluate: install
	$(PYTHON) evaluate.py --suite reference,commands,gait --checkpoint pretrained/*.pt zero random --out results

test: install
	$(PYTHON) -m pytest -m "not slow"

test-all: install
	$(PYTHON) -m pytest

lint: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright

bench: install
	for name in $(BENCHMARKS); do $(PYTHON) -m benchmarks.$$name || exit 1; done
