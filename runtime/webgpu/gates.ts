// Control flow without looking: a gate reads a bool on the device and opens or closes the dispatches behind it, which are indirect.
import type { Storage } from './places.ts';

/**
 * Sets `flag` to whether `parent` is set and the test, if there is one, holds (or, `negated`, does not); flag 0 is always set. Closed
 * dispatches have no workgroups.
 */
export type Gate = {
  readonly test: { readonly storage: Storage; readonly byteAt: number } | undefined;
  readonly negated: boolean;
  readonly parent: number;
  readonly flag: number;
};

export const gateBinding = { gate: 0, flags: 1, sizes: 2, groups: 3, tests: 4 } as const;

export const gateSource = `
struct Gate { test: u32, negated: u32, parent: u32, flag: u32, first: u32, count: u32 }
@group(0) @binding(${gateBinding.gate}) var<uniform> gate: Gate;
@group(0) @binding(${gateBinding.flags}) var<storage, read_write> flags: array<u32>;
@group(0) @binding(${gateBinding.sizes}) var<storage, read> sizes: array<vec2<u32>>;
@group(0) @binding(${gateBinding.groups}) var<storage, read_write> groups: array<u32>;
@group(0) @binding(${gateBinding.tests}) var<storage, read> tests: array<u32>;

fn decide(is_open: bool) {
  flags[gate.flag] = u32(is_open);
  for (var i = gate.first; i < gate.first + gate.count; i++) {
    groups[3u * i] = select(0u, sizes[i].x, is_open);
    groups[3u * i + 1u] = select(0u, sizes[i].y, is_open);
    groups[3u * i + 2u] = 1u;
  }
}

@compute @workgroup_size(1)
fn open_gate() {
  decide(flags[gate.parent] != 0u);
}

@compute @workgroup_size(1)
fn test_gate() {
  let holds = ((tests[gate.test >> 2u] >> ((gate.test & 3u) << 3u)) & 255u) != 0u;
  decide(flags[gate.parent] != 0u && holds != (gate.negated != 0u));
}
`;
