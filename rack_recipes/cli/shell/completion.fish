# Completion of rack-recipes in fish.

function __rack_recipes_complete
    set -l words (commandline --tokens-expanded --cut-at-cursor 2>/dev/null; or commandline --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l found ($words[1] --complete $words[2..] "$current" 2>/dev/null)
    set -l kind $found[1]
    set -e found[1]
    switch $kind
        case files
            set -l endings (string join '|' -- / (string escape --style=regex -- $found))
            if not set -q found[1]
                set endings '.*'
            end
            __fish_complete_path "$current" | string match --regex -- "^[^\\t]*(?:$endings)(?:\\t.*)?\$"
        case folders
            __fish_complete_directories "$current"
        case words
            printf '%s\n' $found
    end
end

complete --command rack-recipes --no-files --arguments '(__rack_recipes_complete)'
