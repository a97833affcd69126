// SPDX-License-Identifier: Apache-2.0
// A Swift program with a heap to be known again: COUNT arrays of COUNT words each. Says "ready", and ends
// with its standard input.

#if canImport(Glibc)
import Glibc
#endif

let count = 300
var arrays: [[UInt]] = []

for i in 0..<count {
	arrays.append([UInt](repeating: UInt(i), count: count))
}
print("ready")
fflush(nil)
// An array is looked at after the wait, lest it be freed before.
while readLine() != nil {}
precondition(arrays[count - 1][0] == UInt(count - 1))
