# The same commands as the README and CI.
dev:
    cargo run --release -- dev
test:
    scripts/test
ci:
    .ci/run
map:
    MAP=write cargo test -q -p louver --test tidy the_map_is_fresh
bench:
    bench/run
