#compdef rack-recipes
# Completion of rack-recipes in zsh.

_rack_recipes() {
    local kind line
    local -a found described closed open
    found=("${(@f)$("$words[1]" --complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    kind=$found[1]
    shift found
    case $kind in
        files) if (( $#found )); then _files -g "*(${(j:|:)found})"; else _files; fi ;;
        folders) _files -/ ;;
        words)
            for line in $found; do
                if [[ $line == *= ]]; then
                    open+=("$line")
                elif [[ $line == *$'\t'* ]]; then
                    closed+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
                else
                    closed+=("${line//:/\\:}")
                fi
            done
            (( $#open )) && compadd -S '' -a open
            (( $#closed )) && _describe 'rack-recipes' closed
            ;;
    esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _rack_recipes "$@"
else
    compdef _rack_recipes rack-recipes
fi
