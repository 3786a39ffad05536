# Reads allowed_includes.txt first, then sources named module/file relative to src/; prints every #include
# that the table does not allow, and exits 1 when there was one.

function complain(text)
{
    printf "%s:%d: %s\n", FILENAME, FNR, text
    failed = 1
}

# The chip that a file of src/devices/ belongs to.
function chip(file,    prefix)
{
    sub(/\.[a-z]+$/, "", file)
    for (prefix in split_prefix) {
        if (index(file, prefix "_") == 1) {
            return prefix
        }
    }
    return file
}

function check_project_include(path,    target, header, slash)
{
    slash = index(path, "/")
    if (slash == 0) {
        complain("\"" path "\" is not written from src/")
        return
    }
    target = substr(path, 1, slash - 1)
    header = substr(path, slash + 1)
    if (path ~ /\.c$/) {
        complain("includes a .c file: " path)
    } else if (!(target in known) || path ~ /\.\./) {
        complain(path " is in no known module")
    } else if (target == module && target == "devices") {
        if (!(header in shared) && chip(header) != chip(file)) {
            complain("a device includes another device: " path)
        }
    } else if (target != module && !((module, target) in allowed) && !((module, path) in allowed)) {
        complain(module " may not include " path)
    }
}

FNR == 1 {
    is_table = FILENAME ~ /allowed_includes\.txt$/
    if (!is_table) {
        parts = split(FILENAME, part, "/")
        module = part[1]
        file = part[parts]
        sources++
        if (!(module in known)) {
            complain("module " module " is not in the table of allowed includes")
        }
    }
}

is_table && /^[a-z-]+:/ {
    name = $1
    sub(/:$/, "", name)
    for (i = 2; i <= NF; i++) {
        if (name == "device-shared") {
            shared[$i] = 1
        } else if (name == "device-split") {
            split_prefix[$i] = 1
        } else {
            allowed[name, $i] = 1
        }
    }
    if (name !~ /^device-/) {
        known[name] = 1
    }
}

!is_table && /^[ \t]*#[ \t]*include[ \t]*"/ {
    path = $0
    sub(/^[^"]*"/, "", path)
    sub(/".*/, "", path)
    check_project_include(path)
}

END {
    if (sources == 0) {
        print "no sources were found"
        failed = 1
    }
    exit failed
}
