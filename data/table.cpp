#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/core/json.h>
#include <adjoint/core/utf8.h>
#include <adjoint/data/table.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace adjoint::data {
namespace {

using Row = std::vector<std::string>;

// Calls f(line, where) for each line that is not empty; `where` is for messages.
template <class F>
void for_each_line(std::string_view text, const std::string& path, F&& f) {
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at = end + 1;
    ++number;
    if (!line.empty()) f(line, path + ":" + std::to_string(number));
  }
}

std::vector<std::string_view> split_tabs(std::string_view line) {
  std::vector<std::string_view> fields;
  for (size_t at = 0; at <= line.size();) {
    const size_t end = std::min(line.find('\t', at), line.size());
    fields.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

// The positions that columns like "2" mean; nothing if one is a name.
std::optional<std::vector<size_t>> positions_of(const std::vector<std::string>& columns) {
  std::vector<size_t> positions;
  for (const std::string& column : columns) {
    size_t position = 0;
    const char* end = column.data() + column.size();
    const auto [at, error] = std::from_chars(column.data(), end, position);
    if (error != std::errc() || at != end || position == 0) return std::nullopt;
    positions.push_back(position - 1);
  }
  return positions;
}

std::vector<size_t> positions_in(const std::vector<std::string_view>& header,
                                 const std::vector<std::string>& columns,
                                 const std::string& where) {
  std::vector<size_t> positions;
  for (const std::string& column : columns) {
    const auto found = std::find(header.begin(), header.end(), column);
    check<IoError>(found != header.end(), where, ": no column is called \"", column, "\" among ",
                   header.size(), "; expected its name in the first line, or its number");
    positions.push_back(static_cast<size_t>(found - header.begin()));
  }
  return positions;
}

std::vector<Row> load_tabs(const std::string& text, const std::string& path,
                           const std::vector<std::string>& columns) {
  std::optional<std::vector<size_t>> positions = positions_of(columns);
  std::vector<Row> rows;
  for_each_line(text, path, [&](std::string_view line, const std::string& where) {
    const std::vector<std::string_view> fields = split_tabs(line);
    if (!positions) {
      positions = positions_in(fields, columns, where);
      return;
    }
    Row& row = rows.emplace_back();
    for (const size_t position : *positions) {
      check<IoError>(position < fields.size(), where, ": ", fields.size(),
                     " columns; expected at least ", position + 1);
      row.emplace_back(fields[position]);
    }
  });
  return rows;
}

std::vector<Row> load_objects(const std::string& text, const std::string& path,
                              const std::vector<std::string>& columns) {
  std::vector<Row> rows;
  for_each_line(text, path, [&](std::string_view line, const std::string& where) {
    const Json object = Json::parse(line, where);
    Row& row = rows.emplace_back();
    for (const std::string& column : columns) {
      const Json& value = object.at(column);
      const bool is_plain = value.type() != Json::Type::array &&
                            value.type() != Json::Type::object && !value.is_null();
      check<IoError>(is_plain, where, ": \"", column, "\" is ", value.dump(),
                     "; expected a text, a number or a boolean");
      row.push_back(value.is_string() ? value.get<std::string>() : value.dump());
    }
  });
  return rows;
}

}  // namespace

std::vector<Row> load_columns(const std::string& path, const std::vector<std::string>& columns) {
  const std::string text = io::read_text(path);
  const std::optional<size_t> bad = find_invalid_utf8(text);
  check<IoError>(!bad, path, ": not valid UTF-8: the byte at offset ", bad.value_or(0),
                 " does not belong to a character");
  const bool objects = path.ends_with(".jsonl") || path.ends_with(".ndjson");
  std::vector<Row> rows =
      objects ? load_objects(text, path, columns) : load_tabs(text, path, columns);
  check<IoError>(!rows.empty(), path, ": no rows; expected at least one");
  return rows;
}

}  // namespace adjoint::data
