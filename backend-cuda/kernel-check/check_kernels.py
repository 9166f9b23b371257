#!/usr/bin/env python3
"""Compiles every kernel with NVIDIA's own compiler, which needs no GPU, and reports what it uses.

  python3 -m venv VENV && VENV/bin/pip install nvidia-cuda-nvrtc
  VENV/bin/python backend-cuda/kernel-check/check_kernels.py [--write | --check]

Prints the table of registers, static shared memory and spills per kernel; --write puts it into
KERNELS.md beside this script, --check compares it with that file if it was made by the same version
of the compiler. Exit code 1 if a kernel does not compile, spills on sm_80 or newer, or differs.
"""

import argparse
import concurrent.futures
import ctypes
import glob
import os
import pathlib
import re
import sys
import sysconfig

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE.parent / "src/main/resources/io/mola/cuda/driver/kernels"
ARCHITECTURES = [80, 90, 100, 120]
PARTS = ["prelude", "visibility", "fragments"]  # no groups of their own


class DoesNotCompile(Exception):
    """The compiler's log of a group that it rejects."""


def nvrtc(folder):
    """The library, from the given folder or from pip's nvidia-cuda-nvrtc of this Python."""
    places = [folder] if folder else [sysconfig.get_paths()["purelib"] + "/nvidia/cu13/lib"]
    for place in places:
        # loaded first, since it is found by name alone
        for builtins in glob.glob(f"{place}/libnvrtc-builtins.so.13*"):
            ctypes.CDLL(builtins, mode=ctypes.RTLD_GLOBAL)
    for name in [f"{place}/libnvrtc.so.13" for place in places] + ["libnvrtc.so.13"]:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    sys.exit("libnvrtc.so.13 was not found: pip install nvidia-cuda-nvrtc, or give --lib FOLDER")


def source(group, bf16):
    """The text that io.mola.cuda.driver.Kernels compiles."""
    text = (SOURCES / f"{group}.cu").read_text()
    needs = ["prelude.cu"] + re.findall(r"^// needs: (\w+\.cu)$", text, re.M)
    return f"#define ACTIVATION_BF16 {int(bf16)}\n" + "".join(
        (SOURCES / name).read_text() for name in needs
    ) + text


def compile_group(lib, group, bf16, architecture):
    """The compiler's log; an error with it if the group does not compile."""
    program = ctypes.c_void_p()
    text = source(group, bf16).encode()
    lib.nvrtcCreateProgram(ctypes.byref(program), text, f"{group}.cu".encode(), 0, None, None)
    options = [
        f"--gpu-architecture=sm_{architecture}",
        "--std=c++17",
        "--generate-line-info",
        "--ptxas-options=-v",
    ]
    array = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
    status = lib.nvrtcCompileProgram(program, len(options), array)
    size = ctypes.c_size_t()
    lib.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    lib.nvrtcGetProgramLog(program, log)
    lib.nvrtcDestroyProgram(ctypes.byref(program))
    if status != 0:
        raise DoesNotCompile(f"{group} does not compile for sm_{architecture}:\n{log.value.decode()}")
    return log.value.decode()


def usage(log):
    """{kernel: (registers, static shared bytes, spilled bytes)}"""
    result, kernel, spilled = {}, None, 0
    for line in log.splitlines():
        if found := re.search(r"Compiling entry function '(\w+)'", line):
            kernel, spilled = found[1], 0
        if found := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            spilled = int(found[1]) + int(found[2])
        if (found := re.search(r"Used (\d+) registers", line)) and kernel:
            shared = re.search(r"(\d+) bytes smem", line)
            result[kernel] = (int(found[1]), int(shared[1]) if shared else 0, spilled)
            kernel = None
    return result


def usage_of_all(lib, groups):
    """{(group, architecture, bf16): usage}, compiled on all processors."""
    keys = [(g, a, b) for g in groups for a in ARCHITECTURES for b in (False, True)]

    def one(key):
        group, architecture, bf16 = key
        return usage(compile_group(lib, group, bf16, architecture))

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(keys, pool.map(one, keys)))


def difference(text):
    """Lines that only one of the text and KERNELS.md has; nothing if another version of the compiler made it."""
    recorded = (HERE / "KERNELS.md").read_text()
    version = re.compile(r"NVRTC [\d.]+")
    if version.findall(text) != version.findall(recorded):
        print("KERNELS.md is of another version of NVRTC and is not compared")
        return []
    return sorted(set(text.splitlines()) ^ set(recorded.splitlines()))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--lib", help="folder of libnvrtc.so.13")
    arguments.add_argument("--write", action="store_true", help="write KERNELS.md")
    arguments.add_argument("--check", action="store_true", help="compare with KERNELS.md")
    options = arguments.parse_args()
    lib = nvrtc(options.lib)
    major, minor = ctypes.c_int(), ctypes.c_int()
    lib.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    groups = sorted(p.stem for p in SOURCES.glob("*.cu") if p.stem not in PARTS)
    lines = [
        "# What the kernels use",
        "",
        f"Registers per thread by NVRTC {major.value}.{minor.value} and static shared memory in"
        " bytes, for bfloat16 activations; `+n` are spilled bytes. Float activations compile, too."
        " Made by `check_kernels.py --write`.",
        "",
        "| group | kernel | " + " | ".join(f"sm_{a}" for a in ARCHITECTURES) + " | shared |",
        "|---|---|" + "---|" * (len(ARCHITECTURES) + 1),
    ]
    try:
        used = usage_of_all(lib, groups)
    except DoesNotCompile as error:
        sys.exit(str(error))
    spills = [
        f"{kernel} (sm_{architecture}, {'bf16' if bf16 else 'float'}): {spilled} bytes"
        for (_, architecture, bf16), table in used.items()
        for kernel, (_, _, spilled) in table.items()
        if spilled
    ]
    for group in groups:
        tables = {a: used[group, a, True] for a in ARCHITECTURES}
        for kernel in sorted(tables[ARCHITECTURES[0]]):
            cells = [
                f"{tables[a][kernel][0]}" + (f" +{tables[a][kernel][2]}" if tables[a][kernel][2] else "")
                for a in ARCHITECTURES
            ]
            shared = tables[90][kernel][1]
            lines.append(f"| {group} | {kernel} | " + " | ".join(cells) + f" | {shared} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        (HERE / "KERNELS.md").write_text(text)
    if options.check and (lines := difference(text)):
        sys.exit("KERNELS.md says otherwise; run with --write:\n" + "\n".join(lines))
    if spills:
        sys.exit("these kernels spill registers:\n" + "\n".join(spills))


if __name__ == "__main__":
    main()
