# make            build every service         make test    everything that needs no container
# make check      unit tests only             make lint    format, layers, headers, analyzer
# make SAN=1 ...  address+undefined           make TSAN=1  threads      make fuzz  fuzz targets
.DELETE_ON_ERROR:
.SUFFIXES:

PKGS     := libcurl jansson hiredis libmicrohttpd gnutls libsodium
LAYERS   := ticket source normalize vendor service model net bus jq base
SERVICES := $(notdir $(patsubst %/,%,$(wildcard services/*/)))
PREFIX   ?= /usr/local

# Each flavour builds in its own folder: switching needs no "make clean".
FLAVOUR  := release
OPT      := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
ifdef SAN
FLAVOUR  := asan
OPT      := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
endif
ifdef TSAN
FLAVOUR  := tsan
OPT      := -O1 -fno-omit-frame-pointer -fsanitize=thread
endif
ifdef FUZZ
FLAVOUR  := fuzz
CC       := clang
OPT      := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
endif
B        ?= build/$(FLAVOUR)

# Hardening as OpenSSF recommends it. Each flag is tried once: not every supported compiler and linker knows all.
probe    = $(shell echo 'int main(void){return 0;}' | $(CC) -Werror -O2 $(1) -x c -o /dev/null - 2>/dev/null && echo '$(1)')
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -mbranch-protection=standard \
             -fstrict-flex-arrays=3 -ftrivial-auto-var-init=zero -fzero-init-padding-bits=all \
             -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fexceptions -fPIE
LINKING  := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen -Wl,--as-needed -Wl,--no-copy-dt-needed-entries
HARDEN   := $(foreach f,$(HARDENING),$(call probe,$(f)))
HARDENLD := $(foreach f,$(LINKING),$(call probe,$(f)))

CPPFLAGS += -Icommon -D_GNU_SOURCE $(shell pkg-config --cflags $(PKGS))
CFLAGS   += -std=c11 -g $(OPT) $(HARDEN) -pthread -Wall -Wextra -Wpedantic -Wshadow -Wvla \
            -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wformat=2 -Wimplicit-fallthrough \
            -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types \
            -Werror=int-conversion -Wno-missing-field-initializers -fno-common
ifdef WERROR
CFLAGS   += -Werror
endif
LDFLAGS  += $(HARDENLD) -pthread
LDLIBS   += $(shell pkg-config --libs $(PKGS)) -lm

# TLS to Redis where hiredis has it (1.0 and later).
ifeq ($(shell pkg-config --exists hiredis_ssl openssl 2>/dev/null && echo yes),yes)
PKGS     += hiredis_ssl openssl
CPPFLAGS += -DTOCSIN_REDIS_TLS
endif

LIBS     := $(LAYERS:%=$B/lib%.a)
BINS     := $(SERVICES:%=$B/tocsin-%)
SANDBOX  := $B/tocsin-sandbox
TESTS    := $(patsubst tests/unit/%.c,$B/tests/unit/%,$(wildcard tests/unit/test_*.c))
obj       = $(patsubst %.c,$B/%.o,$(1))

# Short lines unless V=1.
ifndef V
say = @printf '  %-5s %s\n' $(1) $(2);
endif

# Everything is one of these two: the objects and archives it depends on, linked or kept together.
link      = $(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
            -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)
archive   = $(call say,AR,$@)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^

all: $(patsubst $B/tocsin-cli,$B/tocsin,$(BINS)) $(SANDBOX) $B/normalize-one $B/vendor-call

$B/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) -I$(<D) $(CFLAGS) -MMD -MP -c -o $@ $<

# Text that becomes a C string: NAME.lua, NAME.html ... -> NAME.lua.h with `static const char NAME_lua[]`.
$B/gen/%.h: %
	@mkdir -p $(@D)
	@{ printf 'static const char %s[] = {' "$$(basename $< | tr .- __)"; od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g'; printf '0};\n'; } > $@
CPPFLAGS += -I$B/gen
$B/common/ticket/template.o: $B/gen/common/ticket/default.json.h $B/gen/common/ticket/defender.json.h
$B/common/bus/setup.o: $(patsubst %,$B/gen/%.h,$(wildcard common/bus/*.lua))
$B/common/model/rule_paths.o: $B/gen/common/model/finding_names.txt.h

# The names of all settings, so that a process knows what another one reads.
$B/gen/settings.h: $(wildcard common/*/*.c services/*/*.c)
	@mkdir -p $(@D)
	@grep -hoE '"TOCSIN_[A-Z0-9_]+"' $^ | sort -u | sed 's/$$/,/' > $@.new; cmp -s $@.new $@ || mv $@.new $@
$B/common/service/service_options.o: $B/gen/settings.h

define layer_rule
$B/lib$(1).a: $$(call obj,$$(wildcard common/$(1)/*.c))
	$$(archive)
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

# A service is every .c file in its folder, plus the layers.
define service_rule
$B/$(if $(filter cli,$(1)),tocsin,tocsin-$(1)): $$(call obj,$$(wildcard services/$(1)/*.c)) $$(LIBS)
	$$(link)
endef
$(foreach s,$(SERVICES),$(eval $(call service_rule,$(s))))

# The one program with libjq: it ends its process when memory runs out.
$B/tocsin-jq: LDLIBS = -ljq

$B/services/cli/servicenow_kit.o: $(patsubst %,$B/gen/%.h,deploy/servicenow/business_rule.js deploy/servicenow/guide.md)
$B/services/cli/rights.o: $B/gen/deploy/redis/users.acl.h
$B/services/callback/page.o: $B/gen/services/callback/page.css.h
$B/tests/sandbox/demo.o: $B/gen/tests/sandbox/demo.json.h
$B/tests/sandbox/html.o: $B/gen/tests/sandbox/page.css.h $B/gen/tests/sandbox/page.js.h
$(SANDBOX): $(call obj,$(wildcard tests/sandbox/*.c)) $B/libnet.a $B/libbase.a
	$(link)

# Unit tests: one program per file. check also replays every fuzz corpus.
FUZZERS  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS  := $(FUZZERS:%=$B/tests/fuzz/%)

$B/tests/unit/%.o: CPPFLAGS += -Iservices
$B/tests/unit/%: LDLIBS += -lcmocka
$B/tests/unit/%: $B/tests/unit/%.o $(LIBS)
	$(link)

# test_<service>_*.c and fuzz_<service>_*.c see what that service is made of, except its main.
define service_test_rule
$B/tests/lib$(1).a: $(filter-out $B/services/$(1)/main.o,$(call obj,$(wildcard services/$(1)/*.c)))
	$$(archive)
$(patsubst %.c,$B/%,$(wildcard tests/unit/test_$(1)_*.c tests/fuzz/fuzz_$(1)_*.c)) \
    $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(wildcard tests/fuzz/fuzz_$(1)_*.c)): $B/tests/lib$(1).a
endef
$(foreach s,$(SERVICES),$(if $(wildcard tests/unit/test_$(s)_*.c),$(eval $(call service_test_rule,$(s)))))

# What the normalizer makes of recorded events, without Redis; and the vendors' clients as a program.
$B/normalize-one: $B/tests/tools/normalize_one.o
$B/vendor-call: $B/tests/tools/vendor_call.o
$B/normalize-one $B/vendor-call: $(LIBS)
	$(link)

$B/tests/fuzz/%.o: CPPFLAGS += -Iservices
$B/tests/fuzz/fuzz_%: $B/tests/fuzz/fuzz_%.o $B/tests/fuzz/replay.o $(LIBS)
	$(link)
$B/fuzz/%: LDFLAGS += -fsanitize=fuzzer
$B/fuzz/%: $B/tests/fuzz/%.o $(LIBS)
	@mkdir -p $(@D)
	$(link)

check-programs: $(TESTS) $(REPLAYS) $B/tocsin-jq
check: check-programs
	@tests/unit/run $(TESTS) $(REPLAYS)

# Looks for new inputs for FUZZ_SECONDS each; fuzz-corpus only repeats the known ones.
FUZZ_SECONDS ?= 60
fuzz fuzz-corpus:
	@$(PACKAGES) build lint
	@+$(MAKE) --no-print-directory FUZZ=1 $@-run
fuzz-run: $(FUZZERS:%=$B/fuzz/%)
	@for f in $(FUZZERS); do mkdir -p $B/new/$$f; echo "$$f"; \
	    $B/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=$B/new/$$f/ \
	    $B/new/$$f tests/fuzz/corpus/$$f >$B/$$f.log 2>&1 || { tail -40 $B/$$f.log; exit 1; }; done
fuzz-corpus-run: $(FUZZERS:%=$B/fuzz/%)
	@for f in $(FUZZERS); do $B/fuzz/$$f -runs=0 tests/fuzz/corpus/$$f >$B/$$f.log 2>&1 || \
	    { tail -40 $B/$$f.log; exit 1; }; done; echo "$(words $(FUZZERS)) fuzz corpora passed"


BENCH    := $(patsubst tests/bench/%.c,$B/bench/%,$(wildcard tests/bench/*.c))
$B/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -pthread $(shell pkg-config --cflags hiredis libcurl) -o $@ $< \
	    $(shell pkg-config --libs hiredis libcurl)

# What follows may run on a machine that has none of the packages yet: install, then make again, so
# that the settings above are read with the packages there.
PACKAGES := deploy/build/packages
export PYTHONDONTWRITEBYTECODE := 1
# Scenarios mostly wait; each has a Redis and ports of its own. They are dealt out one by one (loadgroup):
# in large lots the long ones, which come first, would all be one worker's.
TEST_JOBS ?= 8
# Long, and of others' programs or of quantities: nothing that a sanitizer would see first there.
NOT_SAN  := streams or fleet or kubernetes or prometheus or redis_start or outages or pages or storm_of_60

demo:
	@$(PACKAGES) build run
	@+$(MAKE) --no-print-directory all
	@python3 deploy/demo/demo --build $B

test:
	@$(PACKAGES) build test browser
	@+$(MAKE) --no-print-directory all check
	@TOCSIN_BUILD=$B TOCSIN_TEST_PATIENCE=$(if $(SAN)$(TSAN),4,2) /usr/bin/python3 -m pytest -q \
	    -p no:cacheprovider -n $(TEST_JOBS) --dist loadgroup $(if $(SAN),-k 'not ($(NOT_SAN))') tests/e2e tests/integration

# Needs a container engine; .ci/run says where none can be had.
compose-test:
	@$(PACKAGES) test
	@/usr/bin/python3 -m pytest -q -s -x -p no:cacheprovider -p no:xdist tests/container

lint:
	@$(PACKAGES) build lint
	@+$(MAKE) --no-print-directory all
	@deploy/build/lint $B

docs: all
	@for doc in configuration metrics cli; do deploy/build/reference $$doc $B > docs/$$doc.md; done

bench:
	@$(PACKAGES) build bench
	@+$(MAKE) --no-print-directory all bench-tools
	@/usr/bin/python3 tests/bench/bench --build $B --rows '$(ROWS)'
bench-tools: $(BENCH)

conformance:
	@$(PACKAGES) build test
	@+$(MAKE) --no-print-directory all
	@/usr/bin/python3 tests/conformance/conformance --build $B '$(SAMPLES)'

clean:
	rm -rf build

.PHONY: all check check-programs fuzz fuzz-run fuzz-corpus fuzz-corpus-run demo test compose-test lint docs bench bench-tools conformance clean
.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)
