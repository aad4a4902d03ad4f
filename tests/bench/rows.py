"""The rows of make bench, in the order in which they are measured."""
from measure_callback import callback
from measure_collector import collector
from measure_demo import demo
from measure_fleet import collectors_5000, lease_takeover
from measure_flood import flood
from measure_idle import idle, idle_tls
from measure_incident import cpu_vs_script, kill9, latency, vs_bare_curl
from measure_memory import memory
from measure_normalizer import normalizer, normalizer_jq_source, normalizer_sources, normalizer_with_tls
from measure_rules import rules_cost

ALL = [normalizer, normalizer_with_tls, normalizer_sources, normalizer_jq_source, rules_cost, vs_bare_curl,
       cpu_vs_script, kill9,
       collector, collectors_5000, lease_takeover, callback, latency,
       flood, idle, idle_tls, memory, demo]
