# Two commands for newcomers: `make demo` and `make test`. The build itself is CMake's.
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local

.NOTPARALLEL:
.PHONY: help demo test test-full release bench format lint install clean

help:
	@echo "make demo       build, then run a server and a client that talk on all four channels"
	@echo "make test       build with ASan and UBSan, run the test suite"
	@echo "make test-full  also the long tests, TSan, the portable backend, fuzzing, clang-tidy"
	@echo "make release    build/release: libfastnet.so, libfastnet.a and the command fastnet"
	@echo "make bench      FastNet beside ENet, QUIC and TLS over TCP; BENCH='--quick' or '--help'"
	@echo "make install    install the release build below PREFIX ($(PREFIX)); DESTDIR works"
	@echo "make format     rewrite all C files with clang-format"
	@echo "make lint       the lints of the test suite, and clang-tidy"
	@echo "make clean      remove build/"

demo:
	@scripts/setup demo
	@$(MAKE) --no-print-directory release
	@scripts/demo

release:
	@scripts/setup build
	@scripts/build $@ $(JOBS)

test:
	@scripts/setup test
	@scripts/build release $(JOBS)
	@scripts/build dev $(JOBS)
	@ctest --preset dev -j $(JOBS)

test-full:
	@scripts/setup full
	@scripts/build release $(JOBS)
	@$(MAKE) --no-print-directory lint
	@for preset in posix tsan fuzz; do \
		scripts/build $$preset $(JOBS) && ctest --preset $$preset -j $(JOBS) || exit 1; done
	@scripts/build dev $(JOBS)
	@ctest --preset full -j $(JOBS)

# A peer whose library cannot be had is left out; the rest still runs.
bench:
	@scripts/setup build
	@scripts/setup bench || echo "going on without what is missing"
	@scripts/build bench $(JOBS)
	@python3 bench/run.py $(BENCH)

lint:
	@scripts/setup full
	@scripts/build dev $(JOBS)
	@ctest --preset dev -L '^lint$$' -j $(JOBS)
	@scripts/tidy build/dev $(JOBS)

format:
	@scripts/setup test
	@scripts/c-files | xargs -0 clang-format -i

# Under sudo the build stays its owner's: root's files in build/ would lock the owner out of it.
install:
	@if [ "$$(id -u)" = 0 ] && [ -n "$$SUDO_USER" ] && [ "$$SUDO_USER" = "$$(stat -c %U .)" ]; \
		then sudo -u "$$SUDO_USER" $(MAKE) --no-print-directory release; \
		else $(MAKE) --no-print-directory release; fi
	@rm -f build/release/install_manifest.txt
	@cmake --install build/release --prefix "$(PREFIX)"
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

clean:
	@rm -rf build
