# make            build/roibench: one static, hardened, stripped binary
# make demo       builds it and shows the whole path on two simulated deployments
# make test       unit tests and command tests; SAN=1 runs them with ASan and UBSan; make tests only builds them
# make lint       layers, golden numbers, clang-tidy, cppcheck, shellcheck
# make bench      speed and memory;  make fuzz  hostile input;  make e2e  real servers;  make image  containers;  make install  PREFIX, DESTDIR
# Whatever a target needs is brought by scripts/deps.sh the first time (as root; otherwise it
# names what is missing).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules -j$(shell nproc)

PREFIX ?= /usr/local
VERSION ?= $(shell git describe --tags --match 'v*' 2>/dev/null || \
             echo 0.1.0$$(git rev-parse --short HEAD 2>/dev/null | sed 's/^/-g/'))
V ?= 0
quiet = $(if $(filter 0,$(V)),@printf '  %-7s %s\n' $(1) '$(2)';)
comma := ,

# --- what is built ---------------------------------------------------------------------

O := build$(if $(SAN),/san)
DEPS := build/deps
BIN := $(O)/roibench
LIB := $(O)/libroibench.a

SRC := $(wildcard src/*/*.c)
CMD := $(wildcard cmd/roibench/*.c)
UNIT := $(wildcard tests/unit/*/*_test.c)
SUPPORT := $(wildcard tests/unit/support/*.c)
UNIT_BIN := $(UNIT:%.c=$(O)/%)
BATS := $(wildcard tests/cli/*.bats)
objects = $(patsubst %.c,$(O)/obj/%.o,$(1))

# --- flags -----------------------------------------------------------------------------

CC ?= gcc
AR ?= ar
ifeq ($(origin CC),default)
CC := gcc
endif

# A newer compiler's new warning must not stop somebody who only wants the program.
STRICT := $(filter true 1,$(CI) $(WERROR))$(filter test tests lint,$(MAKECMDGOALS))
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla $(if $(strip $(STRICT)),-Werror)
HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
          -ftrivial-auto-var-init=zero -ffunction-sections -fdata-sections
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# Where the processor has fused multiply-add (arm64, x86-64-v3), GCC contracts a * b + c by default and rounds once instead of
# twice: the same seed would draw other arrivals and bodies there.
OPTIMIZE := -ffp-contract=off $(if $(SAN),-O1 $(SANITIZE),-O2 $(HARDEN))

ALL_CPPFLAGS := -D_GNU_SOURCE -Isrc -I. -isystem $(DEPS)/include $(CPPFLAGS)
# Of what a debugger knows, reports of the sanitizers need only the lines.
ALL_CFLAGS := -std=gnu17 $(if $(SAN),-g1,-g) -fPIE $(WARNINGS) $(OPTIMIZE) $(CFLAGS)

LIBS := $(DEPS)/lib/libcurl.a $(DEPS)/lib/libarchive.a -lssl -lcrypto -ljansson -lexpat -lyaml \
        -levent_extra -levent_core -lz -lpthread -lm
STATIC := -static-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,text,--gc-sections
SHARED := -pie $(if $(SAN),$(SANITIZE),-Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)

# --- programs --------------------------------------------------------------------------

.PHONY: all deps demo test tests lint bench fuzz e2e image install clean distclean
all: $(BIN)

build/roibench: build/roibench.debug scripts/check-static.sh
	$(call quiet,STRIP,$@)strip -o $@ $<
	@scripts/check-static.sh $@

build/roibench.debug: $(call objects,$(CMD)) build/libroibench.a $(DEPS)/build.stamp scripts/link-static.sh
	$(call quiet,LINK,$@)scripts/link-static.sh $(CC) $(STATIC) $(LDFLAGS) -o $@ $(filter %.o %libroibench.a,$^) $(LIBS)

build/san/roibench: $(call objects,$(CMD)) build/san/libroibench.a $(DEPS)/build.stamp
	$(call quiet,LINK,$@)$(CC) $(SHARED) $(LDFLAGS) -o $@ $(filter %.o %libroibench.a,$^) $(LIBS)

$(LIB): $(call objects,$(SRC))
	$(call quiet,AR,$@)rm -f $@; $(AR) rcsD $@ $^

$(O)/obj/%.o: %.c Makefile | $(DEPS)/build.stamp
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Only the files that name the version are compiled again when it changes.
VERSIONED := $(if $(SRC)$(CMD),$(shell grep -l ROIBENCH_VERSION $(SRC) $(CMD)))
$(call objects,$(VERSIONED)): ALL_CPPFLAGS += -DROIBENCH_VERSION='"$(VERSION)"'
$(call objects,$(VERSIONED)): $(O)/version
$(O)/version: FORCE
	@mkdir -p $(@D); grep -qsxF '$(VERSION)' $@ || echo '$(VERSION)' >$@
FORCE:

# --- tests -----------------------------------------------------------------------------

$(O)/obj/tests/%.o: ALL_CPPFLAGS += -Itests/unit
$(call objects,$(UNIT) $(SUPPORT)): | $(DEPS)/test.stamp
$(UNIT_BIN): $(O)/%: $(O)/obj/%.o $(call objects,$(SUPPORT)) $(LIB) $(DEPS)/build.stamp
	@mkdir -p $(@D)
	$(call quiet,LINK,$@)$(CC) $(SHARED) $(LDFLAGS) -o $@ $(filter %.o %libroibench.a,$^) -lcmocka $(LIBS)

# Command tests wait most of their time: they begin first, and unit tests fill what is left.
test: tests
	@ROIBENCH=$(abspath $(BIN)) tests/run $(BATS) $(UNIT_BIN)

tests: $(BIN) $(UNIT_BIN) $(DEPS)/test.stamp

lint: $(BIN) $(UNIT_BIN) $(DEPS)/test.stamp $(DEPS)/lint.stamp
	@scripts/lint.sh $(ALL_CPPFLAGS) -DROIBENCH_VERSION='"$(VERSION)"' -Itests/unit -std=gnu17 $(WARNINGS)

# BENCH_REPEATS: runs a figure is the median of, 5 by default. All of it is shown before it ends 1.
bench: $(BIN) $(LIB) $(DEPS)/bench.stamp
	@status=0; for script in tests/bench/engine.py tests/bench/*.sh; do ROIBENCH=$(abspath $(BIN)) "$$script" || status=1; done; exit $$status

# FUZZ_SECONDS each, 30 by default.
fuzz: $(DEPS)/fuzz.stamp
	@tests/fuzz/run

# What the real servers need is brought by the tests themselves, into build/e2e.
e2e: $(BIN)
	@ROIBENCH=$(abspath $(BIN)) tests/e2e/run

demo: $(BIN)
	@ROIBENCH=$(abspath $(BIN)) scripts/demo.sh

# scripts/image.sh says what can be set: IMAGE, BUILDER, BASE, PLATFORM.
image:
	@$(foreach name,IMAGE BUILDER BASE PLATFORM IMAGE_STAGE,$(if $($(name)),$(name)='$($(name))')) scripts/image.sh '$(VERSION)'

# --- the rest --------------------------------------------------------------------------

$(DEPS)/%.stamp: scripts/deps.sh
	@scripts/deps.sh $*

deps:
	@scripts/deps.sh build

install: $(BIN)
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/roibench

# What was fetched stays: it changes with its versions, not with the program.
clean:
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name deps ! -name e2e -exec rm -rf {} +; fi
distclean:
	rm -rf build

-include $(patsubst %.o,%.d,$(call objects,$(SRC) $(CMD) $(UNIT) $(SUPPORT)))
