// Tables of texts in files: labelled texts, pairs of texts.
#pragma once

#include <string>
#include <vector>

namespace adjoint::data {

// Some columns of a table, a row for each row of the file, in its order.
//
// A file whose name ends in .jsonl or .ndjson has an object a line, and columns are its keys;
// numbers and booleans are taken as they are written. Any other is of tab-separated values without
// quotes: columns are names, which the first line gives, or, where all are numbers, positions from
// 1, and the first line is a row like the others. Empty lines are passed over. Throws IoError
// naming the file, the line and what is wrong with it, or that there is no row.
std::vector<std::vector<std::string>> load_columns(const std::string& path,
                                                   const std::vector<std::string>& columns);

}  // namespace adjoint::data
