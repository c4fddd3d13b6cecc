# Two commands do everything on a fresh Debian machine: make demo, make test.
# They fetch Go where it is missing, let `vexa doctor --fix` set the machine up,
# and as root run the rest as an unprivileged user (see .ci/as-user).
.DEFAULT_GOAL := help
.PHONY: help demo test proof bench build pages lint clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\): ## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-6s %s\n' "$$name" "$$text"; done

demo: ## two chats in two containers on the example workspace, printed as they happen
	@.ci/as-user demo

test: ## lint, every test, brief fuzzing, every claim at reduced scale
	@.ci/as-user test

proof: ## the same at the stated scale, with long fuzzing, and the race detector where there is a C compiler
	@.ci/as-user proof

bench: ## every benchmark against its floor, collected in docs/performance.md
	@.ci/as-user bench

build: ## bin/vexa
	@.ci/build

pages: ## completions/ and man/, as a release ships them
	@.ci/pages

lint: ## golangci-lint, pinned
	@.ci/lint

clean: ## what the other targets made in this directory
	rm -rf bin dist completions man evals/out
