// safetensors files: named tensors, little-endian, row-major, without code.
//
// Layout: a 64-bit size N, N bytes of JSON, the data. Reading is as strict as the reference
// (github.com/huggingface/safetensors 0.8): the tensors cover the data exactly, without holes or
// overlaps. Stricter on purpose: tensor names come once (the reference takes the last), tensors
// have at most 64 dimensions, a header nests at most 128 levels. Bytes of BOOL other than 0 read
// as 1.
//
// Any bytes give a valid object or an IoError, in memory of at most twice the file and 16 MiB.
// Reading from several threads is safe.
#pragma once

#include <adjoint/core/dtype.h>
#include <adjoint/core/file.h>
#include <adjoint/core/shape.h>
#include <adjoint/core/tensor.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adjoint {

// The element types of the format, in its own order: what comes later is stored first.
enum class StoredType : uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64,
};

inline constexpr int kStoredTypes = 22;

// "BOOL", "F32", as the file has it.
const char* name(StoredType type);
// The size of an element in bits: 4 and 6 are packed without gaps.
int bits(StoredType type);
StoredType stored_type(DType dtype);
// The dtype with the same elements, or nothing.
std::optional<DType> dtype_of_stored(StoredType type);

// An open file. The data is read on demand: what is kept is the header and 32 bytes a tensor.
class SafetensorsFile {
 public:
  struct Entry {
    std::string name;
    StoredType type;
    std::vector<uint64_t> dims;
    uint64_t bytes;

    // Throws IoError where there are more than kMaxDims dimensions or a size above 2^63 - 1.
    Shape shape() const;
  };

  // Keeps the file open. Throws IoError where the file is not a whole, valid safetensors file.
  static SafetensorsFile open(const std::string& path);
  // The same over bytes in memory, which must outlive the object; source names them in errors.
  static SafetensorsFile from_bytes(std::span<const std::byte> bytes,
                                    std::string source = "safetensors");

  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;
  ~SafetensorsFile();

  const std::string& source() const;
  // The size of the whole file.
  uint64_t file_bytes() const;
  // The number of tensors, and each of them, in the order of their names (as bytes).
  size_t size() const;
  Entry operator[](size_t i) const;
  // The position of a tensor by its name, or nothing.
  std::optional<size_t> find(std::string_view name) const;

  // Copies the data of a tensor; into.size() must be its bytes. Throws IoError where the file
  // cannot be read or was cut off since it was opened.
  void read(size_t i, std::span<std::byte> into) const;
  std::vector<std::byte> read(size_t i) const;

  // The value of a key of the metadata, or nothing. Of keys that come twice, the last counts.
  std::optional<std::string> metadata(std::string_view key) const;
  // All of the metadata; it takes about 100 bytes a key on top of the text.
  std::map<std::string, std::string> metadata() const;

 private:
  struct Impl;
  explicit SafetensorsFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A tensor to be written: packed, row-major, in memory that lives through the call.
struct SafetensorsData {
  std::string name;
  StoredType type;
  Shape shape;
  const void* data;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

// Writes a file whose bytes depend on the content alone: tensors by type as the reference orders
// them, then by name; metadata first, by key; the header padded with spaces so that every tensor
// is aligned. Throws IoError for a name that comes twice, is "__metadata__" or not UTF-8. The
// data is not copied.
void write_safetensors(io::FileSink& out, std::span<const SafetensorsData> tensors,
                       const SafetensorsMetadata& metadata = {});
// The same to a path, atomically.
void write_safetensors(const std::string& path, std::span<const SafetensorsData> tensors,
                       const SafetensorsMetadata& metadata = {});

// All tensors of a file by name. Throws IoError where the file is not valid, has a type other than
// F32, F64, BF16, F16, I64, I32, U8 and BOOL, more than kMaxDims dimensions, or more tensors than
// its size explains.
std::map<std::string, Tensor> load_safetensors(const std::string& path);
std::map<std::string, Tensor> load_safetensors(const SafetensorsFile& file);
// One of them, by its position in the file.
Tensor load_tensor(const SafetensorsFile& file, size_t i);

// Writes the elements of defined tensors as write_safetensors() does; views are packed. For shared
// weights, write one and record the others in the metadata, {alias: name}.
void save_safetensors(io::FileSink& out, const std::map<std::string, Tensor>& tensors,
                      const SafetensorsMetadata& metadata = {});
void save_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                      const SafetensorsMetadata& metadata = {});

}  // namespace adjoint
