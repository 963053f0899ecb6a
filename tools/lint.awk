# The rules of tools/lint. Input: the text files of the project, as arguments; -v all=FILE lists
# every file there is, -v executable=FILE those that may be run.

BEGIN {
  while ((getline line < all) > 0) exists[line] = 1
  while ((getline line < executable) > 0) runs[line] = 1
  check_top_level()

  # May include: the folders whose public headers a folder sees.
  sees["core"] = " core "
  sees["nn"] = " core nn "
  sees["optim"] = " core optim "
  sees["data"] = " core data "
  sees["models"] = " core nn optim data models "
  sees["tools"] = sees["tests"] = sees["benchmarks"] = sees["models"]

  # May not include: inside core, the private headers that a layer must not know.
  hidden["simd"] = " kernels tensor autograd ops io catalog "
  hidden["kernels"] = " tensor autograd ops io catalog "
  hidden["tensor"] = " autograd ops io catalog "
  hidden["autograd"] = " kernels ops io catalog "
  hidden["io"] = " kernels autograd ops catalog "
  hidden["ops"] = " io catalog "
  hidden[""] = " catalog "

  # And the public headers of layers above.
  above["tensor"] = " autograd ops inplace functional gradcheck "
  above["autograd"] = " functional gradcheck "

  kernel_rule = "kernels and simd include only each other, <adjoint/core/bfloat16.h>, " \
                "<adjoint/core/float16.h>, <adjoint/core/update_rules.h>, <cstdint>, " \
                "<cstddef> and intrinsics"

  # Written in two parts, for these lines are read by their own rules.
  marks = "(^|[^A-Za-z0-9_])(TO" "DO|FIX" "ME|X" "XX|HA" "CK)($|[^A-Za-z0-9_])"
  machine = "(^|[^A-Za-z0-9_.}/~-])/(ho" "me|ro" "ot|wo" "rk|tm" "p|Us" "ers)(/|$|[ \"'`),;:])"
  flags = "-march=na" "tive|-mtune=na" "tive|-ffast-ma" "th|-Ofa" "st|-funsafe-ma" "th"
}

function say(where, what) { print where ": " what }

function at(what) { say(FILENAME ":" FNR, what) }

function check_top_level(    file, part, seen, allowed) {
  allowed = " core nn optim data models tests benchmarks tools CMakeLists.txt README.md LICENSE" \
            " CMakePresets.json .ci .clang-format .clang-tidy .gitignore "
  for (file in exists) {
    split(file, part, "/")
    if (!index(allowed, " " part[1] " ") && !seen[part[1]]++) {
      say(part[1], "does not belong at the top level")
    }
  }
}

function is_exempt(folder) { return folder ~ /^(tools|tests|benchmarks)$/ }

function is_library(folder) { return folder ~ /^(core|nn|optim|data|models)$/ }

# The layer of a file in core: the name of its folder, empty for core itself.
function layer_of(path,    part, n) {
  n = split(path, part, "/")
  return n > 2 ? part[2] : ""
}

# The loops and what they are written with see no library: their code is compiled for one
# instruction set, and any inline function would be too.
function is_kernel_code() {
  return FILENAME ~ /^core\/simd\// || FILENAME ~ /^core\/kernels\/.*\.(h|inl)$/
}

function check_public(path,    part, name) {
  if (path == "adjoint.h") {
    if (is_library(top) && FILENAME !~ /^models\/tutorials\//) {
      at("the umbrella header is for users of the library; include what is used")
    }
    return
  }
  if (path !~ /^(core|nn|optim|data|models)\/[a-z0-9_]+\.h$/) {
    at("<adjoint/" path "> is not a public header, directly in core, nn, optim, data or models")
    return
  }
  if (!(path in exists)) { at("there is no " path); return }
  split(path, part, "/")
  if (!index(sees[top], " " part[1] " ")) at(top " may not include " part[1])
  if (is_kernel_code() && path !~ /^core\/(bfloat16|float16|update_rules)\.h$/) at(kernel_rule)
  if (path == "core/op_catalog.h" && is_library(top) && layer != "catalog") {
    at("the catalogue is for tests, tools and benchmarks")
  }
  name = part[2]
  sub(/\.h$/, "", name)
  if (top == "core" && index(above[layer], " " name " ")) {
    at("core/" layer " may not include <adjoint/" path ">: it is a layer above")
  }
}

function check_private(path,    part, n, folder) {
  n = split(path, part, "/")
  folder = part[1]
  if (is_exempt(folder)) {
    if (!is_exempt(top)) at(top " may not include " folder)
  } else if (!is_library(folder)) {
    at("\"" path "\": quoted includes name the path from the root of the project")
    return
  } else if (n == 2 && path ~ /\.h$/) {
    at("\"" path "\" is public: include <adjoint/" path ">")
  } else if (top != folder && !is_exempt(top)) {
    at("\"" path "\" is private to " folder)
  }
  if (!(path in exists)) at("there is no " path)
  if (is_library(top) && is_public_header) {
    at("a public header may include public headers only, not \"" path "\"")
  }
  if (top == "core" && folder == "core" && n > 2 && index(hidden[layer], " " part[2] " ")) {
    at("core/" layer (layer == "" ? "" : " ") "may not include core/" part[2])
  }
}

function check_system(name) {
  if (is_kernel_code() && name !~ /^(cstdint|cstddef|[a-z0-9]*intrin\.h|arm_[a-z0-9]+\.h)$/) {
    at(kernel_rule)
  }
  if (name ~ /^(gtest|gmock)\// && top != "tests") at("GoogleTest is for tests")
  if (name ~ /^benchmark\// && top != "benchmarks") at("Google Benchmark is for benchmarks")
  if (name ~ /^(format|source_location|ranges|bits\/.*)$/) {
    at("<" name "> does not work with every compiler of the project")
  }
}

FNR == 1 {
  split(FILENAME, path_parts, "/")
  top = path_parts[1]
  layer = top == "core" ? layer_of(FILENAME) : "-"
  is_cpp = FILENAME ~ /\.(h|cpp|inl)$/
  is_header = FILENAME ~ /\.h$/
  is_public_header = FILENAME ~ /^[a-z]+\/[^\/]+\.h$/
  is_prose = FILENAME ~ /\.md$/
  is_script = /^#!/
  if (is_header) { headers[FILENAME] = 1 }
  if (is_script && !(FILENAME in runs)) at("a script must be executable")
  if (!is_script && FILENAME in runs) at("an executable file must begin with #!")
}

is_header && /^#pragma once$/ { guarded[FILENAME] = 1 }

is_cpp && /^[ \t]*#[ \t]*include/ {
  target = $0
  if (match(target, /<[^>]*>/)) {
    target = substr(target, RSTART + 1, RLENGTH - 2)
    if (target ~ /^adjoint\//) check_public(substr(target, 9))
    else check_system(target)
  } else if (match(target, /"[^"]*"/)) {
    check_private(substr(target, RSTART + 1, RLENGTH - 2))
  }
}

!is_prose && length($0) > 100 {
  width = $0
  gsub(/[\200-\277]/, "", width)  # what follows the first byte of a character
  if (length(width) > 100) at(length(width) " columns; 100 is the limit")
}

$0 ~ marks { at("a mark of unfinished work") }

!is_prose && $0 ~ flags { at("a flag that changes results or ties the build to a machine") }

$0 ~ machine { at("a path of some machine") }

/[ \t\r]$/ { at("blanks at the end of the line") }

is_cpp && /\t/ { at("a tab") }

END {
  for (file in headers) if (!(file in guarded)) say(file, "no #pragma once")
}
