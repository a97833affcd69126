#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs test_schema.py, or says that it cannot be run (77) without python3.
command -v python3 >/dev/null || exit 77
exec python3 -B "$(dirname "$0")/test_schema.py" "$@"
