# SPDX-License-Identifier: Apache-2.0
#
# Completion of memtool for bash. tests/test_docs.py compares the options here with --help.

_memtool_states='in-use mmapped tcache fastbin unsorted smallbin largebin unlisted top fencepost
	malloc-state heap-info tcache-struct'

# _memtool_words WORDS CURRENT: those that CURRENT begins.
_memtool_words()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_memtool_files()
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# Processes that may have a heap: kernel threads have no command line.
_memtool_pids()
{
	local directory line pids=()

	for directory in /proc/[0-9]*; do
		line=
		{ read -r -n 1 -d '' line <"$directory/cmdline"; } 2>/dev/null
		[[ $line ]] && pids+=("${directory#/proc/}")
	done
	_memtool_words "${pids[*]}" "$1"
}

# A list separated by commas, of which the last item is completed.
_memtool_list()
{
	local head=

	[[ $2 == *,* ]] && head=${2%,*},
	compopt -o nospace 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -P "$head" -W "$1" -- "${2##*,}")
}

# _memtool_value OPTION CURRENT: what may stand behind the option; false if that is no option with a value.
_memtool_value()
{
	case $1 in
	--format) _memtool_words 'text json jsonl csv' "$2" ;;
	--source) _memtool_words 'auto inventory symbols structure' "$2" ;;
	--layout) _memtool_words 'auto table dwarf' "$2" ;;
	--state) _memtool_list "$_memtool_states" "$2" ;;
	--output | -o) _memtool_files "$2" ;;
	--arena | --length | -l | --libc | --limit | --max-pause | --max-size | --min-size | --max-length | --thread) ;;
	*) return 1 ;;
	esac
}

_memtool_options()
{
	local common='--format= --output= --quiet' heap='--layout= --libc= --max-pause= --no-stop --snapshot --source='

	case $1 in
	'') ;;
	heap | arenas | threads | thread | info) echo "$common $heap" ;;
	chunks) echo "--arena= --limit= --max-size= --min-size= --state= $common $heap" ;;
	chunk) echo "--length= $common $heap" ;;
	bins) echo "--chunks $common $heap" ;;
	address | reveal) echo "--demangle $common $heap" ;;
	symbol) echo "--demangle --no-stop --part $common" ;;
	peek) echo "--demangle --thread= --words $common $heap" ;;
	string) echo "--max-length= $common" ;;
	maps | modules) echo "$common" ;;
	ps) echo '--format= --output=' ;;
	esac
	echo '--help --usage --version'
}

_memtool()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local command='' operands=0 i word

	COMPREPLY=()
	# "=" is a word of its own, where it is among COMP_WORDBREAKS.
	if [[ $current == = ]]; then
		current=
	elif [[ $previous == = ]]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [[ $current == --*=* ]]; then
		previous=${current%%=*}
		_memtool_value "$previous" "${current#*=}"
		COMPREPLY=("${COMPREPLY[@]/#/$previous=}")
		return
	fi

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		= | -o | --output | --format | --source | --layout | --state | --arena | \
			-l | --length | --libc | --limit | --max-* | --min-* | --thread)
			# The next word is the value, if it is not "=".
			[[ $word == *=* || ${COMP_WORDS[i + 1]} == = ]] || ((i++))
			;;
		-*) ;;
		*)
			if [[ ! $command ]]; then
				command=$word
			elif [[ $command == run ]]; then
				# From here on it is the program's.
				_memtool_program "$i"
				return
			else
				((operands++))
			fi
			;;
		esac
	done

	if [[ $command != run ]] && _memtool_value "$previous" "$current"; then
		return
	fi
	if [[ $current == -* ]]; then
		_memtool_words "$(_memtool_options "$command")" "$current"
		[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
		return
	fi
	case $command in
	'')
		_memtool_words 'heap chunks chunk arenas bins threads thread info address symbol peek
			reveal string maps modules run ps shell' "$current"
		;;
	run)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -A command -- "$current")
		;;
	ps) ;;
	*)
		((operands)) || _memtool_pids "$current"
		;;
	esac
	return 0
}

# With bash-completion loaded, what the program itself completes; else files.
_memtool_program()
{
	if declare -F _comp_command_offset >/dev/null; then
		_comp_command_offset "$1"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	else
		_memtool_files "${COMP_WORDS[COMP_CWORD]}"
	fi
}

complete -F _memtool memtool
