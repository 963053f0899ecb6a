// What safetensors_roundtrip.py calls:
//
//   safetensors_tool check LIST        a line for each file that LIST names: ok, or the error
//   safetensors_tool describe FILE     names, types, shapes and contents as JSON
//   safetensors_tool rewrite IN OUT    any element type, through write_safetensors
//   safetensors_tool reload IN OUT     through tensors
#include <adjoint/core/error.h>
#include <adjoint/core/json.h>
#include <adjoint/core/safetensors.h>

#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

namespace adjoint {
namespace {

std::string hex(const std::vector<std::byte>& bytes) {
  std::string text;
  for (const std::byte b : bytes) {
    text.push_back("0123456789abcdef"[std::to_integer<unsigned>(b) >> 4]);
    text.push_back("0123456789abcdef"[std::to_integer<unsigned>(b) & 15]);
  }
  return text;
}

void check_files(const std::string& list) {
  std::istringstream names(io::read_text(list));
  for (std::string file; std::getline(names, file);) {
    std::string line = "ok";
    try {
      SafetensorsFile::open(file);
    } catch (const IoError& error) {
      line = error.what();
    }
    std::printf("%s\n", line.c_str());
  }
}

void describe(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  Json tensors = Json::object();
  for (size_t i = 0; i < file.size(); ++i) {
    const auto entry = file[i];
    tensors[entry.name] = Json::object(
        {{"dtype", name(entry.type)}, {"shape", entry.dims}, {"data", hex(file.read(i))}});
  }
  Json metadata = Json::object();
  for (const auto& [key, value] : file.metadata()) metadata[key] = value;
  std::printf("%s\n", Json::object({{"metadata", metadata}, {"tensors", tensors}}).dump().c_str());
}

void rewrite(const std::string& from, const std::string& to) {
  const SafetensorsFile file = SafetensorsFile::open(from);
  std::vector<std::vector<std::byte>> contents;
  std::vector<SafetensorsData> tensors;
  for (size_t i = 0; i < file.size(); ++i) {
    contents.push_back(file.read(i));
    tensors.push_back({file[i].name, file[i].type, file[i].shape(), contents.back().data()});
  }
  write_safetensors(to, tensors, file.metadata());
}

void reload(const std::string& from, const std::string& to) {
  const SafetensorsFile file = SafetensorsFile::open(from);
  save_safetensors(to, load_safetensors(file), file.metadata());
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 2 && arguments[0] == "check") {
    check_files(arguments[1]);
  } else if (arguments.size() == 2 && arguments[0] == "describe") {
    describe(arguments[1]);
  } else if (arguments.size() == 3 && arguments[0] == "rewrite") {
    rewrite(arguments[1], arguments[2]);
  } else if (arguments.size() == 3 && arguments[0] == "reload") {
    reload(arguments[1], arguments[2]);
  } else {
    std::fprintf(stderr,
                 "usage: safetensors_tool check LIST | describe FILE | "
                 "rewrite IN OUT | reload IN OUT\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace adjoint

int main(int argc, char** argv) {
  try {
    return adjoint::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "safetensors_tool: %s\n", error.what());
    return 1;
  }
}
