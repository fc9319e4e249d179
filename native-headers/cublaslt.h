/* What the bindings of cublasLt are generated from; the include list is cublaslt.args. */
#include <cublasLt.h>
