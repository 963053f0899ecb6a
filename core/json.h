// JSON values: configurations, manifests, metrics, tokenizer files.
//
// A value owns what is in it and copies deeply. Integers written as integers stay exact (64 bits,
// signed or unsigned); objects keep the order of insertion. Reading is strict RFC 8259: nesting of
// at most 128 levels, no duplicate keys, no lone surrogates, valid UTF-8, numbers that fit a
// double. Nothing depends on the locale. Errors are IoErrors.
//
//   Json j = Json::object({{"name", "gpt"}, {"sizes", Json::array({1, 2, 3})}});
//   j["lr"] = 3e-4;
//   const int64_t second = j.get<int64_t>("sizes", 1);
//
// Const access from several threads is safe. A value takes 16 bytes, a string or member of an
// object about 50 more: reading a hostile text takes up to 24 times its size, so limit what you
// load.
#pragma once

#include <adjoint/core/error.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace adjoint {

class Json;

namespace detail {

// A pointer that copies what it owns: an incomplete type as a value.
template <class T>
class Box {
 public:
  template <class... Args>
  explicit Box(std::in_place_t, Args&&... args)
      : value_(std::make_unique<T>(std::forward<Args>(args)...)) {}
  Box(const Box& other) : value_(std::make_unique<T>(*other.value_)) {}
  Box(Box&&) noexcept = default;
  Box& operator=(const Box& other) {
    value_ = std::make_unique<T>(*other.value_);
    return *this;
  }
  Box& operator=(Box&&) noexcept = default;
  ~Box() = default;
  T& operator*() const { return *value_; }
  T* operator->() const { return value_.get(); }

 private:
  std::unique_ptr<T> value_;
};

struct JsonObject;

// A step of a path: the key of a member or the position in an array.
struct JsonStep {
  JsonStep(const char* name) : key(name) {}
  JsonStep(std::string_view name) : key(name) {}
  JsonStep(const std::string& name) : key(name) {}
  template <std::integral T>
  JsonStep(T position) : index(static_cast<int64_t>(position)) {}
  std::string_view key;
  int64_t index = -1;
};

}  // namespace detail

class Json {
 public:
  enum class Type : uint8_t { null, boolean, integer, real, string, array, object };
  using Member = std::pair<std::string, Json>;

  Json() = default;
  Json(std::nullptr_t) {}
  Json(std::same_as<bool> auto value) : value_(static_cast<bool>(value)) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Json(T value) {
    if (std::is_signed_v<T> || static_cast<uint64_t>(value) <= uint64_t{INT64_MAX}) {
      value_ = static_cast<int64_t>(value);
    } else {
      value_ = static_cast<uint64_t>(value);
    }
  }
  Json(std::floating_point auto value) : value_(static_cast<double>(value)) {}
  Json(std::string value);
  Json(std::string_view value) : Json(std::string(value)) {}
  Json(const char* value) : Json(std::string(value)) {}
  template <class T>
  Json(const std::vector<T>& values) : Json(array()) {
    for (const T& value : values) push_back(Json(value));
  }

  static Json array() { return array({}); }
  static Json array(std::initializer_list<Json> values);
  static Json object() { return object({}); }
  // Throws IoError where a key comes twice.
  static Json object(std::initializer_list<Member> members);

  // Reads a text; source names it in this and later errors, such as "config.json".
  static Json parse(std::string_view text, std::string_view source = "json");
  // Reads a file of at most max_bytes.
  static Json load(const std::string& path, uint64_t max_bytes = uint64_t{256} << 20);

  // Writes on one line, or, where indent is above 0, a line a value. Doubles are the shortest text
  // that reads back to the same bits, with ".0" where it would read as an integer. Throws IoError
  // for a double that is not finite or a string that is not UTF-8.
  std::string dump(int indent = 0) const;

  Type type() const;
  bool is_null() const { return type() == Type::null; }
  bool is_bool() const { return type() == Type::boolean; }
  bool is_integer() const { return type() == Type::integer; }
  // An integer or a real.
  bool is_number() const { return is_integer() || type() == Type::real; }
  bool is_string() const { return type() == Type::string; }
  bool is_array() const { return type() == Type::array; }
  bool is_object() const { return type() == Type::object; }

  // The value as a C++ type: bool, an integer (range-checked; a real is an error), float or double
  // (an integer is taken), std::string, Json, std::vector or std::optional (null is nothing) of
  // these. With a path of keys and positions, the value found there; errors name the whole path and
  // the source. A missing value is an error.
  template <class T, class... Path>
  T get(const Path&... path) const {
    const detail::JsonStep steps[] = {detail::JsonStep(path)..., detail::JsonStep("")};
    const Steps all{steps, sizeof...(path)};
    return follow(all, true)->template convert<T>(*this, all);
  }

  // The same, or fallback where a key on the path is missing. A value of another type stays an
  // error.
  template <class T, class... Path>
  T get_or(T fallback, const Path&... path) const {
    const detail::JsonStep steps[] = {detail::JsonStep(path)...};
    const Steps all{steps, sizeof...(path)};
    const Json* found = follow(all, false);
    return found == nullptr ? std::move(fallback) : found->template convert<T>(*this, all);
  }

  // The member or element at a path; throws IoError where there is none.
  template <class... Path>
  const Json& at(const Path&... path) const {
    const detail::JsonStep steps[] = {detail::JsonStep(path)...};
    return *follow({steps, sizeof...(path)}, true);
  }

  // The member of this object, or null where there is none or this is no object.
  const Json* find(std::string_view key) const;
  Json* find(std::string_view key);
  bool contains(std::string_view key) const { return find(key) != nullptr; }

  // The member of this object, added as null where it is missing; null becomes an object.
  Json& operator[](std::string_view key);
  Json& operator[](const char* key) { return (*this)[std::string_view(key)]; }
  // Removes a member; false where there is none.
  bool erase(std::string_view key);
  // Appends to this array; null becomes an array.
  void push_back(Json value);

  // The number of elements or members; 0 for other types.
  size_t size() const;
  bool empty() const { return size() == 0; }
  // for (const auto& [key, value] : j.members()); throws IoError for other types.
  const std::vector<Member>& members() const;
  // for (const Json& value : j.elements()); throws IoError for other types.
  const std::vector<Json>& elements() const;
  std::vector<Json>& elements();

  // Same type and value; objects whatever their order. 1 and 1.0 differ.
  bool operator==(const Json& other) const;

 private:
  struct Steps {
    const detail::JsonStep* steps;
    size_t size;
  };
  template <class T>
  struct IsVector : std::false_type {};
  template <class T>
  struct IsVector<std::vector<T>> : std::true_type {};
  template <class T>
  struct IsOptional : std::false_type {};
  template <class T>
  struct IsOptional<std::optional<T>> : std::true_type {};

  friend class JsonBuilder;

  void write(std::string& out, int indent, int depth) const;
  std::string source() const;
  const Json* follow(Steps path, bool must) const;
  [[noreturn]] void wrong(const Json& root, Steps path, const std::string& wanted) const;
  int64_t to_signed(const Json& root, Steps path, int64_t low, int64_t high) const;
  uint64_t to_unsigned(const Json& root, Steps path, uint64_t high) const;
  double to_double(const Json& root, Steps path) const;
  bool to_bool(const Json& root, Steps path) const;
  const std::string& to_text(const Json& root, Steps path) const;

  template <class T>
  T convert(const Json& root, Steps path) const;

  std::variant<std::monostate, bool, int64_t, uint64_t, double, detail::Box<std::string>,
               detail::Box<std::vector<Json>>, detail::Box<detail::JsonObject>>
      value_;
};

template <class T>
T Json::convert(const Json& root, Steps path) const {
  if constexpr (std::same_as<T, Json>) {
    return *this;
  } else if constexpr (std::same_as<T, bool>) {
    return to_bool(root, path);
  } else if constexpr (std::signed_integral<T>) {
    return static_cast<T>(
        to_signed(root, path, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::unsigned_integral<T>) {
    return static_cast<T>(to_unsigned(root, path, std::numeric_limits<T>::max()));
  } else if constexpr (std::floating_point<T>) {
    return static_cast<T>(to_double(root, path));
  } else if constexpr (std::same_as<T, std::string>) {
    return to_text(root, path);
  } else if constexpr (IsOptional<T>::value) {
    if (is_null()) return std::nullopt;
    return convert<typename T::value_type>(root, path);
  } else {
    static_assert(IsVector<T>::value, "no conversion from JSON to this type");
    if (!is_array()) wrong(root, path, "an array");
    T values;
    values.reserve(size());
    for (const Json& element : elements()) {
      values.push_back(element.template convert<typename T::value_type>(root, path));
    }
    return values;
  }
}

namespace detail {

struct JsonObject {
  std::vector<Json::Member> members;
  // The positions of the members in the order of their keys, once there are many.
  std::vector<uint32_t> sorted;
  // What parse() was told that this is; empty where it was not read.
  std::string source;
};

}  // namespace detail

}  // namespace adjoint
