#include <adjoint/core/file.h>
#include <adjoint/core/json.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/io/json_scanner.h"

namespace adjoint {
namespace {

using detail::JsonObject;
using io::JsonToken;

// Objects of up to this many members are searched from the front.
constexpr size_t kLinear = 16;

bool less_key(const JsonObject& object, uint32_t position, std::string_view key) {
  return std::string_view(object.members[position].first) < key;
}

auto lower_bound(const JsonObject& object, std::string_view key) {
  return std::lower_bound(object.sorted.begin(), object.sorted.end(), key,
                          [&](uint32_t p, std::string_view k) { return less_key(object, p, k); });
}

void sort_keys(JsonObject& object) {
  object.sorted.clear();
  if (object.members.size() <= kLinear) return;
  object.sorted.resize(object.members.size());
  std::iota(object.sorted.begin(), object.sorted.end(), 0U);
  // Ties by position: of two equal keys, the second is the one to complain about.
  std::sort(object.sorted.begin(), object.sorted.end(), [&](uint32_t a, uint32_t b) {
    const int order = object.members[a].first.compare(object.members[b].first);
    return order != 0 ? order < 0 : a < b;
  });
}

// The position of the first member whose key came before, or nothing.
std::optional<size_t> find_duplicate(const JsonObject& object) {
  const auto& members = object.members;
  if (object.sorted.empty()) {
    for (size_t i = 1; i < members.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (members[i].first == members[j].first) return i;
      }
    }
    return std::nullopt;
  }
  for (size_t i = 1; i < object.sorted.size(); ++i) {
    const uint32_t position = object.sorted[i];
    if (members[object.sorted[i - 1]].first == members[position].first) return position;
  }
  return std::nullopt;
}

const char* name_of(Json::Type type) {
  switch (type) {
    case Json::Type::null:
      return "null";
    case Json::Type::boolean:
      return "a boolean";
    case Json::Type::integer:
      return "an integer";
    case Json::Type::real:
      return "a number";
    case Json::Type::string:
      return "a string";
    case Json::Type::array:
      return "an array";
    case Json::Type::object:
      break;
  }
  return "an object";
}

template <class T>
void append_number(std::string& out, T value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  out.append(text, end);
}

void append_double(std::string& out, double value) {
  check<IoError>(std::isfinite(value), "json: a number that is not finite: ", value,
                 "; JSON has no text for it");
  const size_t begin = out.size();
  append_number(out, value);
  if (out.find_first_of(".e", begin) == std::string::npos) out.append(".0");
}

std::string path_text(const detail::JsonStep* steps, size_t size) {
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    if (steps[i].index >= 0) {
      text.append("[").append(std::to_string(steps[i].index)).append("]");
    } else {
      if (!text.empty()) text.push_back('.');
      text.append(steps[i].key);
    }
  }
  return text;
}

}  // namespace

// Builds a value from the scanner's tokens. The depth of its recursion is the scanner's limit.
class JsonBuilder {
 public:
  JsonBuilder(std::string_view text, std::string_view source) : scanner_(text, source) {}

  Json build() {
    Json value = read(scanner_.next());
    scanner_.next();
    return value;
  }

 private:
  Json read(JsonToken token) {
    switch (token) {
      case JsonToken::object_begin:
        return read_object();
      case JsonToken::array_begin:
        return read_array();
      case JsonToken::string:
        return Json(scanner_.text());
      case JsonToken::integer:
        return Json(scanner_.integer());
      case JsonToken::unsigned_integer:
        return Json(scanner_.unsigned_integer());
      case JsonToken::real:
        return Json(scanner_.real());
      case JsonToken::boolean:
        return Json(scanner_.boolean());
      default:
        return Json();
    }
  }

  Json read_array() {
    Json result = Json::array();
    auto& elements = result.elements();
    for (JsonToken token = scanner_.next(); token != JsonToken::array_end;
         token = scanner_.next()) {
      elements.push_back(read(token));
    }
    return result;
  }

  Json read_object() {
    Json result = Json::object();
    JsonObject& object = *std::get<detail::Box<JsonObject>>(result.value_);
    const size_t begin = scanner_.begin();
    while (scanner_.next() != JsonToken::object_end) {
      std::string key(scanner_.text());
      object.members.emplace_back(std::move(key), Json());
      object.members.back().second = read(scanner_.next());
    }
    sort_keys(object);
    if (const auto position = find_duplicate(object)) {
      std::string what = "in the object that starts here, a key that comes twice: ";
      io::append_json_string(what, object.members[*position].first);
      scanner_.fail(begin, what);
    }
    return result;
  }

  io::JsonScanner scanner_;
};

Json::Json(std::string value) : value_(detail::Box<std::string>(std::in_place, std::move(value))) {}

Json Json::array(std::initializer_list<Json> values) {
  Json result;
  result.value_ = detail::Box<std::vector<Json>>(std::in_place, values);
  return result;
}

Json Json::object(std::initializer_list<Member> members) {
  Json result;
  detail::Box<JsonObject> object(std::in_place);
  object->members.assign(members);
  sort_keys(*object);
  const auto twice = find_duplicate(*object);
  check<IoError>(!twice, "json: a key that comes twice: ",
                 twice ? object->members[*twice].first : std::string());
  result.value_ = std::move(object);
  return result;
}

Json Json::parse(std::string_view text, std::string_view source) {
  Json value = JsonBuilder(text, source).build();
  if (value.is_object()) std::get<detail::Box<JsonObject>>(value.value_)->source = source;
  return value;
}

Json Json::load(const std::string& path, uint64_t max_bytes) {
  return parse(io::read_text(path, max_bytes), path);
}

Json::Type Json::type() const {
  constexpr Type types[] = {Type::null, Type::boolean, Type::integer, Type::integer,
                            Type::real, Type::string,  Type::array,   Type::object};
  return types[value_.index()];
}

std::string Json::dump(int indent) const {
  std::string out;
  write(out, indent, 0);
  return out;
}

void Json::write(std::string& out, int indent, int depth) const {
  const auto line = [&](int level) {
    if (indent > 0)
      out.append("\n").append(static_cast<size_t>(indent) * static_cast<size_t>(level), ' ');
  };
  if (const bool* flag = std::get_if<bool>(&value_)) {
    out.append(*flag ? "true" : "false");
  } else if (const int64_t* integer = std::get_if<int64_t>(&value_)) {
    append_number(out, *integer);
  } else if (const uint64_t* large = std::get_if<uint64_t>(&value_)) {
    append_number(out, *large);
  } else if (const double* real = std::get_if<double>(&value_)) {
    append_double(out, *real);
  } else if (const auto* text = std::get_if<detail::Box<std::string>>(&value_)) {
    io::append_json_string(out, **text);
  } else if (is_array()) {
    out.push_back('[');
    const char* separator = "";
    for (const Json& element : elements()) {
      out.append(separator);
      line(depth + 1);
      element.write(out, indent, depth + 1);
      separator = ",";
    }
    if (!empty()) line(depth);
    out.push_back(']');
  } else if (is_object()) {
    out.push_back('{');
    const char* separator = "";
    for (const auto& [key, value] : members()) {
      out.append(separator);
      line(depth + 1);
      io::append_json_string(out, key);
      out.append(indent > 0 ? ": " : ":");
      value.write(out, indent, depth + 1);
      separator = ",";
    }
    if (!empty()) line(depth);
    out.push_back('}');
  } else {
    out.append("null");
  }
}

const Json* Json::find(std::string_view key) const {
  const auto* box = std::get_if<detail::Box<JsonObject>>(&value_);
  if (box == nullptr) return nullptr;
  const JsonObject& object = **box;
  if (object.sorted.empty()) {
    for (const Member& member : object.members) {
      if (member.first == key) return &member.second;
    }
    return nullptr;
  }
  const auto at = lower_bound(object, key);
  if (at == object.sorted.end() || object.members[*at].first != key) return nullptr;
  return &object.members[*at].second;
}

Json* Json::find(std::string_view key) {
  return const_cast<Json*>(static_cast<const Json*>(this)->find(key));
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) *this = object();
  if (Json* found = find(key)) return *found;
  check<IoError>(is_object(), "json: ", key, ": a member was asked for in ", name_of(type()));
  JsonObject& object = *std::get<detail::Box<JsonObject>>(value_);
  object.members.emplace_back(std::string(key), Json());
  if (object.sorted.empty()) {
    sort_keys(object);
  } else {
    const auto position = static_cast<uint32_t>(object.members.size() - 1);
    object.sorted.insert(lower_bound(object, key), position);
  }
  return object.members.back().second;
}

bool Json::erase(std::string_view key) {
  const Json* found = find(key);
  if (found == nullptr) return false;
  JsonObject& object = *std::get<detail::Box<JsonObject>>(value_);
  const auto same = [&](const Member& member) { return &member.second == found; };
  object.members.erase(std::find_if(object.members.begin(), object.members.end(), same));
  sort_keys(object);
  return true;
}

void Json::push_back(Json value) {
  if (is_null()) *this = array();
  elements().push_back(std::move(value));
}

size_t Json::size() const {
  if (is_array()) return elements().size();
  return is_object() ? members().size() : 0;
}

const std::vector<Json::Member>& Json::members() const {
  check<IoError>(is_object(), "json: expected an object; found ", name_of(type()));
  return std::get<detail::Box<JsonObject>>(value_)->members;
}

const std::vector<Json>& Json::elements() const {
  check<IoError>(is_array(), "json: expected an array; found ", name_of(type()));
  return *std::get<detail::Box<std::vector<Json>>>(value_);
}

std::vector<Json>& Json::elements() {
  return const_cast<std::vector<Json>&>(static_cast<const Json*>(this)->elements());
}

bool Json::operator==(const Json& other) const {
  if (value_.index() != other.value_.index()) return false;
  if (is_array()) return elements() == other.elements();
  if (is_string()) {
    return *std::get<detail::Box<std::string>>(value_) ==
           *std::get<detail::Box<std::string>>(other.value_);
  }
  if (is_object()) {
    return size() == other.size() &&
           std::all_of(members().begin(), members().end(), [&](const Member& member) {
             const Json* theirs = other.find(member.first);
             return theirs != nullptr && *theirs == member.second;
           });
  }
  if (const bool* flag = std::get_if<bool>(&value_)) return *flag == std::get<bool>(other.value_);
  if (const int64_t* i = std::get_if<int64_t>(&value_))
    return *i == std::get<int64_t>(other.value_);
  if (const auto* u = std::get_if<uint64_t>(&value_)) return *u == std::get<uint64_t>(other.value_);
  if (const double* d = std::get_if<double>(&value_)) return *d == std::get<double>(other.value_);
  return true;
}

std::string Json::source() const {
  const auto* box = std::get_if<detail::Box<JsonObject>>(&value_);
  return box == nullptr || (*box)->source.empty() ? "json" : (*box)->source;
}

const Json* Json::follow(Steps path, bool must) const {
  const Json* at = this;
  for (size_t i = 0; i < path.size; ++i) {
    const detail::JsonStep& step = path.steps[i];
    const bool by_key = step.index < 0;
    const Steps so_far{path.steps, i};
    if (by_key != at->is_object() || (!by_key && !at->is_array())) {
      at->wrong(*this, so_far, by_key ? "an object" : "an array");
    }
    const Json* next = nullptr;
    if (by_key) {
      next = at->find(step.key);
    } else if (static_cast<size_t>(step.index) < at->size()) {
      next = &at->elements()[static_cast<size_t>(step.index)];
    }
    if (next == nullptr && must) {
      const Steps missing{path.steps, i + 1};
      fail<IoError>(source(), ": ", path_text(missing.steps, missing.size), ": missing; expected ",
                    by_key ? "such a member" : "so many elements");
    }
    if (next == nullptr) return nullptr;
    at = next;
  }
  return at;
}

void Json::wrong(const Json& root, Steps path, const std::string& wanted) const {
  const std::string where = path_text(path.steps, path.size);
  const auto* text = std::get_if<detail::Box<std::string>>(&value_);
  const bool shown = is_number() || is_bool() || (text != nullptr && (*text)->size() <= 40);
  fail<IoError>(root.source(), ": ", where, where.empty() ? "" : ": ", "expected ", wanted,
                "; found ", name_of(type()), shown ? " " : "", shown ? dump() : "");
}

int64_t Json::to_signed(const Json& root, Steps path, int64_t low, int64_t high) const {
  const int64_t* value = std::get_if<int64_t>(&value_);
  if (value == nullptr || *value < low || *value > high) {
    wrong(root, path,
          is_integer() ? "an integer from " + std::to_string(low) + " to " + std::to_string(high)
                       : "an integer");
  }
  return *value;
}

uint64_t Json::to_unsigned(const Json& root, Steps path, uint64_t high) const {
  const int64_t* small = std::get_if<int64_t>(&value_);
  const uint64_t* large = std::get_if<uint64_t>(&value_);
  const bool fits = small != nullptr ? *small >= 0 && static_cast<uint64_t>(*small) <= high
                                     : large != nullptr && *large <= high;
  if (!fits) {
    wrong(root, path, is_integer() ? "an integer from 0 to " + std::to_string(high) : "an integer");
  }
  return small != nullptr ? static_cast<uint64_t>(*small) : *large;
}

double Json::to_double(const Json& root, Steps path) const {
  if (const double* real = std::get_if<double>(&value_)) return *real;
  if (const int64_t* integer = std::get_if<int64_t>(&value_)) return static_cast<double>(*integer);
  if (const uint64_t* large = std::get_if<uint64_t>(&value_)) return static_cast<double>(*large);
  wrong(root, path, "a number");
}

bool Json::to_bool(const Json& root, Steps path) const {
  const bool* value = std::get_if<bool>(&value_);
  if (value == nullptr) wrong(root, path, "true or false");
  return *value;
}

const std::string& Json::to_text(const Json& root, Steps path) const {
  const auto* value = std::get_if<detail::Box<std::string>>(&value_);
  if (value == nullptr) wrong(root, path, "a string");
  return **value;
}

}  // namespace adjoint
