#include <adjoint/core/error.h>
#include <adjoint/core/safetensors.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "core/io/byte_reader.h"
#include "core/io/checked.h"
#include "core/io/file_ops.h"
#include "core/io/json_scanner.h"

namespace adjoint {
namespace {

using io::JsonScanner;
using io::JsonToken;

static_assert(std::endian::native == std::endian::little, "safetensors are written as in memory");

struct TypeInfo {
  const char* name;
  int bits;
};

constexpr std::array<TypeInfo, kStoredTypes> kTypes = {{
    {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
    {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
    {"I64", 64},        {"U64", 64},
}};

constexpr uint64_t kMaxHeader = 100'000'000;
constexpr uint64_t kSizeBytes = 8;
constexpr uint64_t kMaxRank = 64;
constexpr std::string_view kMetadata = "__metadata__";

// A name for an error message: in quotes, with escapes, cut where it is long.
std::string quoted(std::string_view name) {
  std::string out;
  size_t cut = std::min<size_t>(name.size(), 80);
  while (cut < name.size() && cut > 0 && (static_cast<unsigned char>(name[cut]) & 0xC0U) == 0x80U) {
    --cut;
  }
  io::append_json_string(out, name.substr(0, cut));
  return cut < name.size() ? out + "..." : out;
}

std::string to_text(StoredType type, const std::vector<uint64_t>& dims) {
  std::string text = std::string(name(type)) + " [";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(dims[i]);
  }
  return text + "]";
}

// What is kept of a tensor: the rest is read from the header when asked for, so that a header of a
// hundred million bytes does not become a thousand million.
struct Record {
  uint64_t begin;
  uint64_t end;
  uint32_t name_at;
  uint32_t name_size;
  uint32_t shape_at;
  StoredType type;
};
static_assert(sizeof(Record) == 32);

}  // namespace

const char* name(StoredType type) { return kTypes[static_cast<size_t>(type)].name; }

int bits(StoredType type) { return kTypes[static_cast<size_t>(type)].bits; }

StoredType stored_type(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return StoredType::f64;
    case DType::bf16:
      return StoredType::bf16;
    case DType::f16:
      return StoredType::f16;
    case DType::i64:
      return StoredType::i64;
    case DType::i32:
      return StoredType::i32;
    case DType::u8:
      return StoredType::u8;
    case DType::boolean:
      return StoredType::boolean;
    case DType::f32:
      break;
  }
  return StoredType::f32;
}

std::optional<DType> dtype_of_stored(StoredType type) {
  for (int i = 0; i < kDTypes; ++i) {
    if (stored_type(static_cast<DType>(i)) == type) return static_cast<DType>(i);
  }
  return std::nullopt;
}

Shape SafetensorsFile::Entry::shape() const {
  check<IoError>(dims.size() <= static_cast<size_t>(kMaxDims), "safetensors: tensor ", quoted(name),
                 ": too many dimensions: ", dims.size(), "; expected at most ", kMaxDims);
  Shape shape;
  for (const uint64_t dim : dims) {
    check<IoError>(dim <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()),
                   "safetensors: tensor ", quoted(name), ": a dimension is too large: ", dim);
    shape.push_back(static_cast<int64_t>(dim));
  }
  return shape;
}

struct SafetensorsFile::Impl {
  std::string source;
  uint64_t file_bytes = 0;
  // One of the two holds the data.
  std::unique_ptr<io::InputFile> file;
  std::span<const std::byte> memory;
  // Names that had escapes are decoded in place.
  std::string header;
  uint64_t data_at = 0;
  std::vector<Record> records;
  std::optional<uint32_t> metadata_at;

  void parse();
  void parse_tensor(JsonScanner& scanner, uint32_t name_at, uint32_t name_size);
  void check_metadata(JsonScanner& scanner, JsonToken first);
  void check_coverage(uint64_t data_size);
  void sort_by_name();
  void check_names() const;

  std::string_view name_of(const Record& record) const {
    return std::string_view(header).substr(record.name_at, record.name_size);
  }
  std::vector<uint64_t> dims_of(const Record& record) const {
    JsonScanner scanner(std::string_view(header).substr(record.shape_at), source);
    scanner.next();
    std::vector<uint64_t> dims;
    while (scanner.next() != JsonToken::array_end) dims.push_back(scanner.unsigned_integer());
    return dims;
  }
  // Calls f(key, value) for the metadata in the order of the file.
  template <class F>
  void each_metadata(F f) const {
    if (!metadata_at) return;
    JsonScanner scanner(std::string_view(header).substr(*metadata_at), source);
    scanner.next();
    while (scanner.next() == JsonToken::key) {
      const std::string key(scanner.text());
      scanner.next();
      f(key, scanner.text());
    }
  }
};

namespace {

uint64_t next_size(JsonScanner& scanner, const char* what) {
  const JsonToken token = scanner.next();
  if (token != JsonToken::unsigned_integer &&
      (token != JsonToken::integer || scanner.integer() < 0)) {
    scanner.fail(scanner.begin(), std::string("expected an integer from 0 in ") + what);
  }
  return scanner.unsigned_integer();
}

StoredType next_type(JsonScanner& scanner) {
  if (scanner.next() != JsonToken::string) {
    scanner.fail(scanner.begin(), "expected a string for the dtype");
  }
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (scanner.text() == kTypes[i].name) return static_cast<StoredType>(i);
  }
  scanner.fail(scanner.begin(), "an unknown dtype: " + quoted(scanner.text()));
}

// Reads over the array; returns where it starts.
size_t next_shape(JsonScanner& scanner) {
  if (scanner.next() != JsonToken::array_begin) {
    scanner.fail(scanner.begin(), "expected an array for the shape");
  }
  const size_t begin = scanner.begin();
  for (uint64_t rank = 0;; ++rank) {
    const JsonToken token = scanner.next();
    if (token == JsonToken::array_end) return begin;
    if (token != JsonToken::unsigned_integer &&
        (token != JsonToken::integer || scanner.integer() < 0)) {
      scanner.fail(scanner.begin(), "expected an integer from 0 in the shape");
    }
    if (rank == kMaxRank) scanner.fail(scanner.begin(), "a shape of more than 64 dimensions");
  }
}

}  // namespace

void SafetensorsFile::Impl::parse() {
  size_t members = 0;
  {
    // The number of members first, so that the index is allocated once.
    JsonScanner scanner(header, source);
    if (scanner.next() != JsonToken::object_begin) {
      scanner.fail(scanner.begin(), "expected an object as the header");
    }
    for (; scanner.next() == JsonToken::key; ++members) scanner.skip(scanner.next());
    scanner.next();
  }
  records.reserve(members);
  JsonScanner scanner(header, source);
  scanner.next();
  bool metadata_seen = false;
  while (scanner.next() == JsonToken::key) {
    const size_t begin = scanner.begin();
    const std::string_view key = scanner.text();
    if (key == kMetadata) {
      if (metadata_seen) scanner.fail(begin, "__metadata__ comes twice");
      metadata_seen = true;
      check_metadata(scanner, scanner.next());
      continue;
    }
    const auto size = static_cast<uint32_t>(key.size());
    // Decoded text is shorter than its escapes, and the scanner is past it.
    if (key.data() != header.data() + begin) std::memcpy(header.data() + begin, key.data(), size);
    parse_tensor(scanner, static_cast<uint32_t>(begin), size);
  }
  sort_by_name();
  check_names();
  check_coverage(file_bytes - data_at);
  sort_by_name();
}

void SafetensorsFile::Impl::check_metadata(JsonScanner& scanner, JsonToken first) {
  if (first == JsonToken::null) return;
  if (first != JsonToken::object_begin) {
    scanner.fail(scanner.begin(), "expected an object of strings for __metadata__");
  }
  metadata_at = static_cast<uint32_t>(scanner.begin());
  while (scanner.next() == JsonToken::key) {
    if (scanner.next() != JsonToken::string) {
      scanner.fail(scanner.begin(), "expected a string in __metadata__");
    }
  }
}

void SafetensorsFile::Impl::parse_tensor(JsonScanner& scanner, uint32_t name_at,
                                         uint32_t name_size) {
  Record record{0, 0, name_at, name_size, 0, StoredType::f32};
  if (scanner.next() != JsonToken::object_begin) {
    scanner.fail(scanner.begin(), "expected an object for the tensor " + quoted(name_of(record)));
  }
  enum Field : size_t { kDtype, kShape, kOffsets };
  constexpr std::array<const char*, 3> fields = {"dtype", "shape", "data_offsets"};
  std::array<bool, 3> seen{};
  while (scanner.next() == JsonToken::key) {
    const auto field = static_cast<size_t>(std::find(fields.begin(), fields.end(), scanner.text()) -
                                           fields.begin());
    if (field == fields.size()) {
      scanner.skip(scanner.next());
      continue;
    }
    if (seen[field]) scanner.fail(scanner.begin(), std::string(fields[field]) + " comes twice");
    seen[field] = true;
    if (field == kDtype) {
      record.type = next_type(scanner);
    } else if (field == kShape) {
      record.shape_at = static_cast<uint32_t>(next_shape(scanner));
    } else {
      if (scanner.next() != JsonToken::array_begin) {
        scanner.fail(scanner.begin(), "expected an array for data_offsets");
      }
      record.begin = next_size(scanner, "data_offsets");
      record.end = next_size(scanner, "data_offsets");
      if (scanner.next() != JsonToken::array_end) {
        scanner.fail(scanner.begin(), "expected two numbers in data_offsets");
      }
    }
  }
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!seen[i]) {
      scanner.fail(scanner.begin(),
                   "the tensor " + quoted(name_of(record)) + " has no " + fields[i]);
    }
  }
  records.push_back(record);
}

// The tensors, in the order of their data, follow each other from the first byte to the last.
void SafetensorsFile::Impl::check_coverage(uint64_t data_size) {
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t at = 0;
  for (const Record& record : records) {
    const auto where = [&] {
      return source + ": tensor " + quoted(name_of(record)) + ": data_offsets [" +
             std::to_string(record.begin) + ", " + std::to_string(record.end) + "]: ";
    };
    if (record.begin != at || record.end < at) {
      fail<IoError>(where(),
                    record.end < record.begin ? "the end is before the start"
                    : record.begin < at       ? "they overlap another tensor"
                                              : "they leave a hole",
                    "; expected a start at ", at);
    }
    at = record.end;
    const std::vector<uint64_t> dims = dims_of(record);
    std::optional<uint64_t> size = 1;
    for (const uint64_t dim : dims) {
      size = size ? io::checked_mul(*size, dim) : std::nullopt;
    }
    if (size) size = io::checked_mul(*size, static_cast<uint64_t>(bits(record.type)));
    if (!size) fail<IoError>(where(), to_text(record.type, dims), ": its size overflows 64 bits");
    if (*size % 8 != 0) {
      fail<IoError>(where(), to_text(record.type, dims), ": not a whole number of bytes");
    }
    if (*size / 8 != record.end - record.begin) {
      fail<IoError>(where(), "they hold ", record.end - record.begin, " bytes; expected ",
                    *size / 8, " for ", to_text(record.type, dims));
    }
  }
  if (at != data_size) {
    fail<IoError>(source,
                  at > data_size ? ": cut off: " : ": bytes that belong to no tensor: ", data_size,
                  " bytes of data; expected ", at, " by the header");
  }
}

void SafetensorsFile::Impl::sort_by_name() {
  std::sort(records.begin(), records.end(),
            [&](const Record& a, const Record& b) { return name_of(a) < name_of(b); });
}

// REQUIRES: records are sorted by name.
void SafetensorsFile::Impl::check_names() const {
  const auto twice = std::adjacent_find(
      records.begin(), records.end(),
      [&](const Record& a, const Record& b) { return name_of(a) == name_of(b); });
  if (twice != records.end()) {
    fail<IoError>(source, ": tensor ", quoted(name_of(*twice)), ": its name comes twice");
  }
}

SafetensorsFile::SafetensorsFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;
SafetensorsFile::~SafetensorsFile() = default;

namespace {

// The size of the header, checked against the size of the file before anything is allocated.
uint64_t header_size(std::span<const std::byte> first, uint64_t file_size,
                     const std::string& source) {
  check<IoError>(file_size >= kSizeBytes, source, ": too short for a safetensors file: ", file_size,
                 " bytes; expected at least ", kSizeBytes);
  const auto size = io::ByteReader(first, source).read<uint64_t>("size of the header");
  check<IoError>(size <= kMaxHeader, source, ": the header is too large: ", size,
                 " bytes; expected at most ", kMaxHeader);
  check<IoError>(size <= file_size - kSizeBytes, source, ": cut off in the header: ", size,
                 " bytes; ", file_size - kSizeBytes, " remain");
  return size;
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  impl->source = path;
  impl->file = std::make_unique<io::InputFile>(path);
  check<IoError>(impl->file->size() >= 0, path, ": not a regular file");
  impl->file_bytes = static_cast<uint64_t>(impl->file->size());
  std::array<std::byte, kSizeBytes> first{};
  if (impl->file_bytes >= kSizeBytes) impl->file->read_at(first.data(), first.size(), 0);
  const uint64_t size = header_size(first, impl->file_bytes, path);
  impl->header.resize(size);
  impl->file->read_at(impl->header.data(), size, kSizeBytes);
  impl->data_at = kSizeBytes + size;
  impl->parse();
  return SafetensorsFile(std::move(impl));
}

SafetensorsFile SafetensorsFile::from_bytes(std::span<const std::byte> bytes, std::string source) {
  auto impl = std::make_unique<Impl>();
  impl->source = std::move(source);
  impl->memory = bytes;
  impl->file_bytes = bytes.size();
  const uint64_t size = header_size(bytes, bytes.size(), impl->source);
  impl->header.assign(reinterpret_cast<const char*>(bytes.data()) + kSizeBytes, size);
  impl->data_at = kSizeBytes + size;
  impl->parse();
  return SafetensorsFile(std::move(impl));
}

const std::string& SafetensorsFile::source() const { return impl_->source; }

uint64_t SafetensorsFile::file_bytes() const { return impl_->file_bytes; }

size_t SafetensorsFile::size() const { return impl_->records.size(); }

SafetensorsFile::Entry SafetensorsFile::operator[](size_t i) const {
  check<IndexError>(i < size(), source(), ": no tensor ", i, "; there are ", size());
  const Record& record = impl_->records[i];
  return {std::string(impl_->name_of(record)), record.type, impl_->dims_of(record),
          record.end - record.begin};
}

std::optional<size_t> SafetensorsFile::find(std::string_view name) const {
  const auto& records = impl_->records;
  const auto at = std::lower_bound(
      records.begin(), records.end(), name,
      [&](const Record& record, std::string_view n) { return impl_->name_of(record) < n; });
  if (at == records.end() || impl_->name_of(*at) != name) return std::nullopt;
  return static_cast<size_t>(at - records.begin());
}

void SafetensorsFile::read(size_t i, std::span<std::byte> into) const {
  check<IndexError>(i < size(), source(), ": no tensor ", i, "; there are ", size());
  const Record& record = impl_->records[i];
  check<IoError>(into.size() == record.end - record.begin, source(), ": tensor ",
                 quoted(impl_->name_of(record)), ": a buffer of ", into.size(), " bytes; expected ",
                 record.end - record.begin);
  if (into.empty()) return;
  const uint64_t at = impl_->data_at + record.begin;
  if (impl_->file) {
    impl_->file->read_at(into.data(), into.size(), static_cast<off_t>(at));
  } else {
    std::memcpy(into.data(), impl_->memory.data() + at, into.size());
  }
  if (record.type == StoredType::boolean) {
    for (std::byte& value : into) value = std::byte{value != std::byte{0}};
  }
}

std::vector<std::byte> SafetensorsFile::read(size_t i) const {
  check<IndexError>(i < size(), source(), ": no tensor ", i, "; there are ", size());
  std::vector<std::byte> bytes(impl_->records[i].end - impl_->records[i].begin);
  read(i, bytes);
  return bytes;
}

std::optional<std::string> SafetensorsFile::metadata(std::string_view key) const {
  std::optional<std::string> found;
  impl_->each_metadata([&](const std::string& k, std::string_view value) {
    if (k == key) found = std::string(value);
  });
  return found;
}

std::map<std::string, std::string> SafetensorsFile::metadata() const {
  std::map<std::string, std::string> all;
  impl_->each_metadata(
      [&](const std::string& key, std::string_view value) { all[key] = std::string(value); });
  return all;
}

namespace {

uint64_t bytes_of(const SafetensorsData& tensor) {
  std::optional<uint64_t> size = static_cast<uint64_t>(bits(tensor.type));
  for (const int64_t dim : tensor.shape) {
    size = size && dim >= 0 ? io::checked_mul(*size, static_cast<uint64_t>(dim)) : std::nullopt;
  }
  check<IoError>(size && *size % 8 == 0, "safetensors: tensor ", quoted(tensor.name),
                 ": its shape has no size in bytes: ", name(tensor.type), " ", tensor.shape);
  return *size / 8;
}

std::string make_header(const std::vector<const SafetensorsData*>& tensors,
                        const SafetensorsMetadata& metadata) {
  std::string header = "{";
  const auto member = [&](std::string_view key) {
    if (header.back() != '{') header.push_back(',');
    io::append_json_string(header, key);
    header.push_back(':');
  };
  if (!metadata.empty()) {
    member(kMetadata);
    header.push_back('{');
    for (const auto& [key, value] : metadata) {
      member(key);
      io::append_json_string(header, value);
    }
    header.push_back('}');
  }
  uint64_t at = 0;
  for (const SafetensorsData* tensor : tensors) {
    const uint64_t end = at + bytes_of(*tensor);
    member(tensor->name);
    header.append("{\"dtype\":\"").append(name(tensor->type)).append("\",\"shape\":[");
    const char* comma = "";
    for (const int64_t dim : tensor->shape) {
      header.append(comma).append(std::to_string(dim));
      comma = ",";
    }
    header.append("],\"data_offsets\":[").append(std::to_string(at)).append(",");
    header.append(std::to_string(end)).append("]}");
    at = end;
  }
  header.push_back('}');
  header.resize(*io::checked_align_up(header.size(), 8), ' ');
  check<IoError>(header.size() <= kMaxHeader,
                 "safetensors: the header is too large: ", header.size(),
                 " bytes; expected at most ", kMaxHeader);
  return header;
}

}  // namespace

void write_safetensors(io::FileSink& out, std::span<const SafetensorsData> tensors,
                       const SafetensorsMetadata& metadata) {
  std::vector<const SafetensorsData*> order;
  order.reserve(tensors.size());
  for (const SafetensorsData& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return a->name < b->name; });
  for (size_t i = 0; i < order.size(); ++i) {
    check<IoError>(order[i]->name != kMetadata && (i == 0 || order[i]->name != order[i - 1]->name),
                   "safetensors: tensor ", quoted(order[i]->name),
                   ": expected names that come once and are not __metadata__");
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return a->type > b->type; });
  const std::string header = make_header(order, metadata);
  std::array<char, kSizeBytes> size{};
  const uint64_t length = header.size();
  std::memcpy(size.data(), &length, sizeof(length));
  uint64_t total = kSizeBytes + length;
  for (const SafetensorsData* tensor : order) total += bytes_of(*tensor);
  out.reserve(total);
  out.append(std::string_view(size.data(), size.size()));
  out.append(header);
  for (const SafetensorsData* tensor : order) {
    out.append(std::span(static_cast<const std::byte*>(tensor->data), bytes_of(*tensor)));
  }
}

void write_safetensors(const std::string& path, std::span<const SafetensorsData> tensors,
                       const SafetensorsMetadata& metadata) {
  io::write_file_atomic(path,
                        [&](io::FileSink& out) { write_safetensors(out, tensors, metadata); });
}

}  // namespace adjoint
