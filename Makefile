PYTHON := .venv/bin/python
DEMO := --checkpoint --terrain stairs_up --height 0.17 --depth 0.30 --belief --size 1280 720 --seconds 8
STUDENTS := pretrained/student.pt pretrained/blind.pt
SHIPPED := pretrained/teacher.pt $(STUDENTS)
WORLDS :=  # --drive-network FILE --robot-urdf FILE, of which the project has none: docs/evaluate.md
BENCHMARKS := physics environment training exchange scaling peers inference mapping playing

.PHONY: install train export play picture map-picture evaluate test test-all lint bench

install: .venv/installed

.venv/installed: requirements.txt constraints.txt requirements-seed.txt
	python3 -m venv .venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-seed.txt
	touch $@

train: install
	$(PYTHON) train.py --task anymal_rough --blind

export: install
	$(PYTHON) export.py --checkpoint pretrained/student.pt --out pretrained

play: install
	$(PYTHON) play.py --checkpoint

picture: install  # a moving picture for README.md
	$(PYTHON) play.py $(DEMO) --video docs/stairs.mp4
	$(PYTHON) -m evaluation.moving docs/stairs.mp4 docs/stairs.webp
	rm docs/stairs.mp4

map-picture: install  # the picture of docs/mapping.md
	$(PYTHON) -m tools.map_picture --out docs/mapped.png

evaluate: install
	$(PYTHON) evaluate.py --suite reference --checkpoint $(SHIPPED) zero random --seed 1000 --out results
	$(PYTHON) evaluate.py --suite commands,gait --checkpoint $(SHIPPED) --seed 1000 --out results
	$(PYTHON) evaluate.py --suite transfer --checkpoint $(SHIPPED) --seed 1000 --out results $(WORLDS)
	$(PYTHON) evaluate.py --suite mapfail,gate,mapping --checkpoint $(STUDENTS) --seed 1000 --out results
	$(PYTHON) -m tools.results results

test: install
	$(PYTHON) -m pytest -m "not slow"

test-all: install .venv/gpu
	$(PYTHON) -m pytest

.venv/gpu: .venv/installed requirements-gpu.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements-gpu.txt
	touch $@

lint: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright

bench: install
	for name in $(BENCHMARKS); do $(PYTHON) -m benchmarks.$$name || exit 1; done
