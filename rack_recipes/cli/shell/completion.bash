# Completion of rack-recipes in bash.
# shellcheck shell=bash

_rack_recipes() {
    local current=${COMP_WORDS[COMP_CWORD]} kind line path
    local -a found=()
    COMPREPLY=()
    [[ $current == "=" || ${COMP_WORDS[COMP_CWORD - 1]} == "=" ]] && return
    {
        read -r kind
        while IFS= read -r line; do found+=("${line%%$'\t'*}"); done
    } < <("$1" --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    case $kind in
    words)
        for line in "${found[@]}"; do
            [[ $line == "$current"* ]] && COMPREPLY+=("$line")
        done
        [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
        ;;
    files | folders)
        compopt -o filenames 2>/dev/null
        while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen -d -- "$current")
        [[ $kind == folders ]] && return
        while IFS= read -r path; do
            [[ -d $path ]] && continue
            [[ ${#found[@]} -eq 0 || " ${found[*]} " == *" .${path##*.} "* ]] && COMPREPLY+=("$path")
        done < <(compgen -f -- "$current")
        ;;
    esac
}

complete -F _rack_recipes rack-recipes
