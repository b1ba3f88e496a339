#include <stdio.h>

int main(void)
{
	printf("Hello from a compiled program: %d\n", 6 * 7);
	return 0;
}
