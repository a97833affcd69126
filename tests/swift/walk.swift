// SPDX-License-Identifier: Apache-2.0
// walk PID: the heap of a process through the module Memtool. Prints how many live chunks there are, and how
// many of them have room for an array of 300 words (32 bytes of header besides), but not for twice that.

import Memtool

#if canImport(Glibc)
import Glibc
#endif

func fail(_ error: OpaquePointer) -> Never {
	print("failed: \(String(cString: memtool_error_message(error)))")
	memtool_error_destroy(error)
	exit(2)
}

var target: OpaquePointer?
if let error = memtool_open(Int32(CommandLine.arguments[1])!, nil, &target) {
	fail(error)
}

var heap: OpaquePointer?
var stopped: UInt64 = 0
if let error = memtool_read_heap(target!, &stopped, &heap) {
	fail(error)
}
memtool_close(target)

// A closure that is passed to C captures nothing: what it counts comes by the context.
struct Counts {
	var live = 0
	var arrays = 0
}

var counts = Counts()
withUnsafeMutablePointer(to: &counts) { pointer in
	_ = memtool_heap_chunks(heap!, MEMTOOL_STATES_LIVE, { context, chunk in
		let counts = context!.assumingMemoryBound(to: Counts.self)
		counts.pointee.live += 1
		let inUse = chunk.pointee.state == memtool_chunk_state.MEMTOOL_CHUNK_IN_USE
		if inUse && chunk.pointee.usable >= 2432 && chunk.pointee.usable < 4864 {
			counts.pointee.arrays += 1
		}
		return true
	}, pointer)
}
print("live \(counts.live) arrays \(counts.arrays) audit \(memtool_heap_audit_ok(heap!)) stopped \(stopped > 0)")
memtool_heap_destroy(heap)
