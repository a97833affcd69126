# SPDX-License-Identifier: Apache-2.0
#
# Completion of memtool for fish. tests/test_docs.py compares the options here with --help.

function __memtool_command
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        string match -q -- '-*' $word; or echo $word; and return
    end
end

# Whether the command is one of these; without arguments, whether there is none yet.
function __memtool_is
    set -l command (__memtool_command)
    if test (count $argv) -eq 0
        test -z "$command"
    else
        contains -- "$command" $argv
    end
end

# The states that a list separated by commas may go on with.
function __memtool_states
    set -l head (string match -r -- '^(?:--state=)?(.*,)?' (commandline -ct))[2]
    for state in in-use mmapped tcache fastbin unsorted smallbin largebin unlisted top fencepost \
            malloc-state heap-info tcache-struct
        echo "$head$state"
    end
end

set -l read heap chunks chunk arenas bins threads thread info address symbol peek reveal string maps modules
set -l heap heap chunks chunk arenas bins threads thread info address peek reveal

complete -c memtool -f
complete -c memtool -s '?' -l help -d 'Give help'
complete -c memtool -l usage -d 'Give a short usage message'
complete -c memtool -s V -l version -d 'Print the version'

complete -c memtool -n __memtool_is -a heap -d 'What is in use, what is free, and why'
complete -c memtool -n __memtool_is -a chunks -d 'Every chunk, with its state'
complete -c memtool -n __memtool_is -a chunk -d 'One chunk, and what is in it'
complete -c memtool -n __memtool_is -a arenas -d 'Arenas with their segments and totals'
complete -c memtool -n __memtool_is -a bins -d 'Free lists: tcaches, fastbins, bins'
complete -c memtool -n __memtool_is -a threads -d 'Threads with their tcaches and arenas'
complete -c memtool -n __memtool_is -a thread -d 'One thread, and the chunks it works with'
complete -c memtool -n __memtool_is -a info -d 'glibc, sources of addresses, pause, audit'
complete -c memtool -n __memtool_is -a address -d 'What is at an address'
complete -c memtool -n __memtool_is -a symbol -d 'Where the symbols of a name are'
complete -c memtool -n __memtool_is -a peek -d 'Bytes at an address, or words and their targets'
complete -c memtool -n __memtool_is -a reveal -d 'What a safe-linked pointer leads to'
complete -c memtool -n __memtool_is -a string -d 'The C string at an address'
complete -c memtool -n __memtool_is -a maps -d 'Memory mappings, and whose they are'
complete -c memtool -n __memtool_is -a modules -d 'ELF files, and where their symbols are'
complete -c memtool -n __memtool_is -a run -d 'Run a program with the agent preloaded'
complete -c memtool -n __memtool_is -a ps -d 'Processes that carry the agent\'s page'
complete -c memtool -n __memtool_is -a shell -d 'The same commands at a prompt'

complete -c memtool -n "__memtool_is $read shell" -a '(__fish_complete_pids)'
complete -c memtool -n '__memtool_is run' -a '(__fish_complete_subcommand --fcs-skip=2)'

complete -c memtool -n "__memtool_is $read ps" -l format -x -a 'text json jsonl csv' -d 'Format of the output'
complete -c memtool -n "__memtool_is $read ps" -s o -l output -r -F -d 'Write to a file'
complete -c memtool -n "__memtool_is $read" -s q -l quiet -d 'No notes on standard error'
complete -c memtool -n "__memtool_is $heap" -l layout -x -a 'auto table dwarf' -d 'How glibc\'s structs are known'
complete -c memtool -n "__memtool_is $heap" -l libc -x -d 'Which of several glibcs, as info numbers them'
complete -c memtool -n "__memtool_is $heap" -l max-pause -x -d 'Milliseconds that the process may stand still'
complete -c memtool -n "__memtool_is $heap symbol" -l no-stop -d 'Read while the process runs'
complete -c memtool -n "__memtool_is $heap" -l snapshot -d 'Read a copy of the process'
complete -c memtool -n "__memtool_is $heap" -l source -x -a 'auto inventory symbols structure' -d 'Where addresses are from'

complete -c memtool -n '__memtool_is chunks' -l arena -x -d 'Only chunks of this arena'
complete -c memtool -n '__memtool_is chunks' -l limit -x -d 'Only the first of them'
complete -c memtool -n '__memtool_is chunks' -l max-size -x -d 'Only chunks of this size or smaller'
complete -c memtool -n '__memtool_is chunks' -l min-size -x -d 'Only chunks of this size or larger'
complete -c memtool -n '__memtool_is chunks' -l state -x -a '(__memtool_states)' -d 'Only chunks of these states'
complete -c memtool -n '__memtool_is bins' -s c -l chunks -d 'List the addresses of the chunks'
complete -c memtool -n '__memtool_is address symbol peek reveal' -s C -l demangle -d 'Show names as in the source'
complete -c memtool -n '__memtool_is symbol' -s p -l part -d 'Symbols that have the name in theirs'
complete -c memtool -n '__memtool_is chunk' -s l -l length -x -d 'Show so much of what is in it'
complete -c memtool -n '__memtool_is peek' -l thread -x -d 'tcbhead of this thread alone'
complete -c memtool -n '__memtool_is peek' -s w -l words -d 'Words, and what they point into'
complete -c memtool -n '__memtool_is string' -l max-length -x -d 'Look no further than that'
